package outbound

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// Source is a source of certificates and keys: [AppService], [Directory], [File], [Env] or [Fetch]. A source returns
// PEM (certificates and unencrypted keys) or PKCS#12, at most 1 MiB per piece. Only this package implements it.
type Source interface {
	// read reads everything once. A piece that cannot be read becomes a blob with an error, so that the others are
	// still used.
	read(ctx context.Context) ([]blob, error)
	// check returns the mistakes of the configuration.
	check() []error
	// name is the type's name, for paths in errors.
	name() string
	// local reports whether reading is cheap enough to look for changes every few seconds.
	local() bool
}

// maxSize bounds the size of one file, variable or secret, in bytes.
const maxSize = 1 << 20

// form is the format that a source declares for its data.
type form int

const (
	formAny    form = iota // PEM, PKCS#12 or one certificate in DER
	formPEM                // application/x-pem-file
	formPKCS12             // application/x-pkcs12, in base64 or binary
)

// blob is one piece of a source.
type blob struct {
	name    string
	form    form
	data    []byte
	exposed bool // every user of the machine can read it
	// certificatesOnly is set for intermediates and the like. Keys in such a piece are ignored.
	certificatesOnly bool
	err              error
}

// File is a certificate with its chain in a file: PKCS#12, or PEM with the key in the same file or in Key. Symbolic
// links are followed on each load, as Kubernetes, cert-manager's CSI driver and the SPIFFE helper require. If the two
// files do not match, because one of them is just being replaced, both are read again. Replace a file by renaming a
// complete one over it: a chain of which only the beginning has been written is presented until the next load.
type File struct {
	// Path is the file. Required.
	Path string
	// Key is the file of the key. Empty means that the key is in Path.
	Key string
}

func (s File) read(context.Context) ([]blob, error) { //nolint:unparam // a Source
	blobs := []blob{readFile(s.Path)}
	if s.Key != "" {
		blobs = append(blobs, readFile(s.Key))
	}
	return blobs, nil
}

func (s File) check() []error { return namesOf(".Path", s.Path, ".Key", s.Key) }

func (File) name() string { return "File" }
func (File) local() bool  { return true }

// Env is a certificate in an environment variable: PEM, or PKCS#12 in base64. On App Service this is how the value of a
// Key Vault reference arrives. A reference that the platform did not resolve gives [ReasonReferenceUnresolved].
type Env struct {
	// Name is the variable. Required.
	Name string
	// Key is the variable of the key. Empty means that the key is in Name.
	Key string
}

func (s Env) read(context.Context) ([]blob, error) { //nolint:unparam // a Source
	blobs := []blob{readVariable(s.Name)}
	if s.Key != "" {
		blobs = append(blobs, readVariable(s.Key))
	}
	return blobs, nil
}

func (s Env) check() []error { return namesOf(".Name", s.Name, ".Key", s.Key) }

func (Env) name() string { return "Env" }
func (Env) local() bool  { return true }

func readVariable(name string) blob {
	b := blob{name: "$" + name}
	value, ok := os.LookupEnv(name)
	switch text := strings.TrimSpace(value); {
	case !ok || text == "":
		b.err = fail(ReasonSourceUnavailable, "%s is not set", b.name)
	case isReference(text):
		b.err = fail(ReasonReferenceUnresolved, "%s holds an unresolved reference", b.name)
	case strings.Contains(text, `\n`) && strings.Contains(text, "-----BEGIN"):
		b.err = malformed("set the variable with its line ends, or to PKCS#12 in base64", "%s contains the characters \\n instead of line ends", b.name)
	case isPath(text):
		b.err = malformed("set the variable to the certificate itself, or use File with the value of the variable as Path", "%s holds the name of a file", b.name)
	default:
		b.data = []byte(value)
	}
	return b
}

// isPath reports whether the text is an absolute path. Neither PEM nor base64 of DER begins like one.
func isPath(text string) bool {
	return filepath.IsAbs(text) && !strings.ContainsAny(text, "\n=") && len(text) < 256
}

// isReference reports whether the text is a reference to Key Vault or App Configuration. App Service delivers it instead of
// the value if it cannot resolve it.
func isReference(text string) bool { return strings.HasPrefix(strings.ToLower(text), "@microsoft.") }

// Fetch obtains a certificate from elsewhere, such as Key Vault. The content type it returns is "application/x-pkcs12"
// (in base64, as Key Vault returns it, or binary), "application/x-pem-file", or empty to detect the format from the
// data. The context ends after 30 seconds and on [Certificate.Close]. If the function ignores its context or panics,
// only this load fails. Calls do not overlap. Its errors are logged, so they must not contain the secret.
type Fetch func(ctx context.Context) (contentType string, data []byte, err error)

func (s Fetch) read(ctx context.Context) ([]blob, error) {
	contentType, data, err := s(ctx)
	if err != nil {
		return nil, asError(err, ReasonSourceUnavailable)
	}
	b := blob{name: "the fetched secret", data: data}
	kind, _, _ := strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "":
	case "application/x-pem-file":
		b.form = formPEM
	case "application/x-pkcs12":
		b.form = formPKCS12
	default:
		wrong := fail(ReasonMalformed, "content type %s, want application/x-pkcs12 or application/x-pem-file", quote(contentType))
		wrong.Hint = "is it the secret of a Key Vault certificate, which has the name of the certificate? another secret needs one of these content types, or none"
		b.err = wrong
	}
	if len(data) == 0 && b.err == nil {
		b.err = fail(ReasonSourceUnavailable, "the fetched secret is empty")
	}
	return []blob{b}, nil
}

func (s Fetch) check() []error {
	if s == nil {
		return []error{errors.New(": nil")}
	}
	return nil
}

func (Fetch) name() string { return "Fetch" }
func (Fetch) local() bool  { return false }

// namesOf returns the mistakes in names of files, folders or variables. The first is required. A certificate or a key in
// the place of its name is a mistake here, so that no later error quotes it.
func namesOf(field, name, otherField, other string) (found []error) {
	if name == "" {
		found = append(found, errors.New(field+": empty"))
	}
	for _, n := range [][2]string{{field, name}, {otherField, other}} {
		if logtext.LooksSecret(n[1]) {
			found = append(found, fmt.Errorf("%s: %s is a certificate or a key, want its name", n[0], quote(n[1])))
		}
	}
	return found
}

// fromBase64 decodes base64, with or without line ends.
func fromBase64(text []byte) ([]byte, error) {
	joined := strings.Join(strings.Fields(string(text)), "")
	data, err := base64.StdEncoding.Strict().DecodeString(joined)
	if err != nil {
		return nil, errors.New("neither PEM nor DER nor base64 of DER")
	}
	return data, nil
}

// isDER distinguishes DER from text: the second byte of text is below 0x80.
func isDER(data []byte) bool { return len(data) > 1 && data[0] == 0x30 && data[1] >= 0x80 }
