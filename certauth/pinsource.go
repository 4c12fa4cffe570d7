package certauth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/pins"
	"github.com/seed2886b8ae/go-certauth/internal/reload"
)

// PinSource is a source from which pins are read, so that they can be rotated without a change of
// code: [PinFile], [Env] or [PinFunc].
type PinSource interface {
	pins(ctx context.Context, known reload.Digest) ([]string, reload.Digest, error)
	describe() string
}

// PinFile names a file with one pin per line. Empty lines and text after a "#" are ignored. The
// file is read again like a [PEMFile]; if it contains any mistake, the last good list stays in
// use as a whole.
type PinFile string

// PinFunc returns pins from elsewhere. It is called like a [CertFunc].
type PinFunc func(ctx context.Context) ([]string, error)

// maxPinText bounds a pin file: a million pins with colons and room to spare.
const maxPinText = 128 << 20

func (f PinFile) pins(_ context.Context, known reload.Digest) ([]string, reload.Digest, error) {
	if f == "" {
		return nil, reload.Digest{}, errors.New("PinFile: empty file name")
	}
	content, err := readFile(string(f), maxPinText)
	if err != nil {
		return nil, reload.Digest{}, err
	}
	return parseNew(content, known, f.parse)
}

func (f PinFile) parse(content []byte) (list []string, err error) {
	if bytes.HasPrefix(content, []byte("\ufeff")) || bytes.IndexByte(content, 0) >= 0 {
		return nil, fmt.Errorf("%s: a byte order mark, or UTF-16, as Windows programs write it; save it as ASCII or UTF-8 without the mark", f.describe())
	}
	for line := range bytes.Lines(content) {
		text, _, _ := strings.Cut(string(line), "#")
		if text = strings.TrimSpace(text); text != "" {
			list = append(list, text)
		}
	}
	return list, nil
}

func (f PinFile) describe() string { return "file " + quote(string(f)) }

func (f PinFunc) pins(ctx context.Context, _ reload.Digest) ([]string, reload.Digest, error) {
	if f == nil {
		return nil, reload.Digest{}, errors.New("nil function")
	}
	list, err := f(ctx)
	if err != nil {
		return nil, reload.Digest{}, lineError{err}
	}
	return slices.Clone(list), sha256.Sum256([]byte(strings.Join(list, "\n"))), nil
}

func (PinFunc) describe() string { return "function" }

type pinsFrom struct {
	kind   pinKind
	source PinSource
}

// ThumbprintsFrom is [Thumbprints] with the list read from a file, an environment variable or a
// function, and read again while the service runs. If it cannot be read or parsed at start, that
// is an error of [New]; later the last good list stays in use and the failure is reported.
func ThumbprintsFrom(source PinSource) Policy { return pinsFrom{pinThumbprint, source} }

// ThumbprintsSHA1From is [ThumbprintsSHA1] with the list read as for [ThumbprintsFrom].
func ThumbprintsSHA1From(source PinSource) Policy { return pinsFrom{pinThumbprintSHA1, source} }

// PublicKeysFrom is [PublicKeys] with the list read as for [ThumbprintsFrom].
func PublicKeysFrom(source PinSource) Policy { return pinsFrom{pinPublicKey, source} }

// Reference returns the name of the policy and its source, for package policyfile, which encodes
// policies.
func (p pinsFrom) Reference() (name string, source PinSource) { return p.kind.Name + "From", p.source }

func (p pinsFrom) compile(c *compilation, at place) (rule, standing) {
	path := at.path + "." + p.kind.Name + "From"
	if isNil(p.source) {
		c.mistake(path, "nil source")
		return c.pinRule(p.kind, path, "", &reload.Item[pins.Set]{}, at)
	}
	pins := watch(c, path, true, func(ctx context.Context, known reload.Digest) (pins.Set, reload.Digest, error) {
		list, sum, err := p.source.pins(ctx, known)
		if err != nil || sum == known {
			return pins.Set{}, sum, err
		}
		set, mistakes := pins.NewSet(p.kind.Kind, p.source.describe()+": pin", list)
		return set, sum, errors.Join(mistakes...)
	})
	return c.pinRule(p.kind, path, p.source.describe(), pins, at)
}
