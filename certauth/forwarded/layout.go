package forwarded

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
	"github.com/seed2886b8ae/go-certauth/internal/mistakes"
	"github.com/seed2886b8ae/go-certauth/internal/sha1sum"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// Hash is the hash function of a fingerprint header.
type Hash int

const (
	// HashUnspecified is the zero value, for no fingerprint header.
	HashUnspecified Hash = iota
	// HashSHA1 is SHA-1, used by nginx and Application Gateway. It is sufficient for
	// comparing a fingerprint with a certificate that is at hand.
	HashSHA1
	// HashSHA256 is SHA-256.
	HashSHA256
)

// layout describes the headers that a front end writes and how they are read. Every preset
// is a layout.
type layout struct {
	preset string // "Nginx", for rule paths and texts
	from   Gate

	header string
	codec  codec
	absent string // value that means "no certificate", in addition to the empty one
	chain  chainReader

	flags           []Flag
	fingerprint     string
	fingerprintHash Hash

	unread []string // headers that are removed without being read

	verifies  bool // the operator states that the front end verifies
	form      string
	missing   string                     // hint if there is no certificate
	traffic   func(*http.Request) string // a better hint for requests of the platform itself, or ""
	untrusted string                     // hint if another sender sent the header
	kept      []string                   // that are read and reach the handler
	platform  bool                       // the header and the sender are always the same, so String omits them
}

// Flag is a header by which a front end reports that it verified the certificate. It is
// checked only if there is a certificate: a request that has the flag but no certificate
// counts as a request without a certificate, for every front end.
type Flag struct {
	// Header is the name. Required.
	Header string
	// Value is the value that the header must have. It is compared exactly, without trimming and
	// with case. Required unless Absent is set.
	Value string
	// Absent requires instead that the header is absent or empty. Value must then be empty.
	Absent bool
}

// prepare checks the layout, reports all mistakes at once, and returns the form that
// certauth.New asks for.
func (l layout) prepare(env source.Environment, found ...error) (*source.Reader, error) {
	if l.untrusted == "" {
		l.untrusted = "the request did not come through the front end that From describes; if the front end's address or secret was changed, correct From; otherwise check what else can reach this port"
	}
	if l.missing == "" {
		l.missing = "check that the front end requests a client certificate on this host and path, and that its route sets " + l.header + "; a probe or a public path needs an entry in Config.Exclusions with its method and path"
	}
	l.chain = l.chain.prepared()
	s := &reader{layout: l, logger: env.Logger, rulePath: "Source." + l.preset, formHint: l.preset + " sends " + l.form, key: http.CanonicalHeaderKey(l.header), fingerprintKey: http.CanonicalHeaderKey(l.fingerprint)}
	for _, flag := range l.flags {
		s.flagKeys = append(s.flagKeys, http.CanonicalHeaderKey(flag.Header))
	}
	if l.from == nil {
		found = append(found, errors.New("From: not set; say who may send the header"))
	} else {
		from, err := prepareGate(l.from, env)
		found = append(found, mistakes.Prefix("From: ", err)...)
		s.gate = from
	}
	if l.verifies && !slices.ContainsFunc(l.flags, func(f Flag) bool { return f.Value != "" }) { // absence proves nothing
		found = append(found, errors.New("FrontEndVerifies: set, but no header reports the front end's verification by a value"))
	}
	if (l.fingerprint == "") != (l.fingerprintHash == HashUnspecified) {
		found = append(found, errors.New("fingerprint: header and hash are set together or not at all"))
	}
	if l.fingerprintHash == HashSHA1 && !sha1sum.Available() {
		found = append(found, fmt.Errorf("fingerprint: %w; leave the header out, or have the front end send SHA-256", sha1sum.ErrUnavailable))
	}
	if err := errors.Join(append(found, l.checkNames(s.gate)...)...); err != nil {
		return nil, errors.Join(mistakes.Prefix(l.preset+".", err)...)
	}
	return &source.Reader{
		Name: s.String(), Headers: append(l.ownHeaders(), s.gate.headers...), Kept: l.kept, FrontEndVerifies: l.verifies,
		Offer: s.offer, Decode: s.decode,
	}, nil
}

// checkNames refuses empty names and names that become equal when "_" and "." are read as
// "-", because one header cannot hold two things. certauth.New checks the syntax of names.
func (l layout) checkNames(g gate) []error {
	names := append(l.ownHeaders(), l.kept...)
	names = append(names, g.headers...)
	var found []error
	seen := map[string]string{}
	for _, name := range names {
		if strings.TrimSpace(name) == "" {
			found = append(found, errors.New("header: a name is empty"))
			continue
		}
		folded := strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(name))
		if other, again := seen[folded]; again {
			found = append(found, fmt.Errorf("header: %s and %s are the same header to proxies and servers", logtext.Quote(other), logtext.Quote(name)))
		}
		seen[folded] = name
	}
	return found
}

func (l layout) ownHeaders() []string {
	names := append([]string{l.header}, l.chain.headers()...)
	for _, flag := range l.flags {
		names = append(names, flag.Header)
	}
	if l.fingerprint != "" {
		names = append(names, l.fingerprint)
	}
	return append(names, l.unread...)
}
