package certauth

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/certpem"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
	"github.com/seed2886b8ae/go-certauth/internal/regular"
	"github.com/seed2886b8ae/go-certauth/internal/reload"
)

// CertSource is a source of certificates for a rule: [PEM], [PEMFile], [Env], [CertFile],
// [CertDir], [Certificates], [CertFunc] or [InsecureSystemRoots]. Nil is an error of [New]
// wherever certificates are required; it never means the system's roots.
type CertSource interface {
	// certs returns the certificates. known is the digest of the content that was read last; if
	// nothing has changed, the result may be nil with the same digest.
	certs(ctx context.Context, known reload.Digest) ([]*x509.Certificate, reload.Digest, error)
	// reloads reports whether a later call may return something else.
	reloads() bool
	describe() string
}

// PEM holds certificates as PEM text, fixed for the life of the Authenticator. Text between the
// blocks is allowed; a damaged block, a block of another type, or no block at all is an error of
// [New].
type PEM []byte

// PEMFile names a file of PEM certificates. [New] reads it. Afterwards it is read again when
// requests arrive, at most once per Config.ReloadInterval and in the background. If the file
// cannot be read or parsed, or is empty, the last good set stays in use and the failure is
// reported to Logger and Observe. Replace the file by renaming a complete one over it: a
// partially written file that parses would be used.
type PEMFile string

// CertFunc returns certificates from elsewhere, for example a key vault. [New] calls it.
// Afterwards it is called again in the background, like a [PEMFile] is read. The context ends
// after 30 seconds. After an error, an empty result or a panic the last good set stays in use. It is
// not called again before it has returned; if it is used in several places, it is called for each,
// and these calls may overlap.
type CertFunc func(ctx context.Context) ([]*x509.Certificate, error)

// certificateSet is the result of [Certificates]: a CertSource and a Policy.
type certificateSet struct {
	list []*x509.Certificate
}

// Certificates holds parsed certificates, fixed for the life of the Authenticator.
//
// It has two uses. As a [CertSource] it provides the roots or intermediates of a [Chain]. As a
// [Policy] it is an anchor that accepts exactly these certificates, byte for byte, including
// self-signed ones; a listed certificate is still refused when it has expired.
//
// A nil certificate, or an empty list, is an error of [New].
func Certificates(certs ...*x509.Certificate) interface {
	CertSource
	Policy
} {
	return certificateSet{list: slices.Clone(certs)}
}

// List returns the certificates.
func (s certificateSet) List() []*x509.Certificate { return slices.Clone(s.list) }

type systemRoots struct{}

// InsecureSystemRoots trusts every CA of the operating system. What can happen: any public CA in
// the world can issue a certificate that the chain accepts, so only a rule on names distinguishes
// callers. It is for certificates of a public CA. [New] requires a rule on names, a pin, or
// [IssuedBy] together with it.
func InsecureSystemRoots() CertSource { return systemRoots{} }

func (p PEM) certs(context.Context, reload.Digest) ([]*x509.Certificate, reload.Digest, error) {
	certs, err := certpem.Parse(p)
	if err != nil && looksLikePath(string(p)) {
		err = fmt.Errorf("%s is a path, not PEM text; use PEMFile", quote(string(p)))
	}
	return certs, sha256.Sum256(p), err
}

func (PEM) reloads() bool    { return false }
func (PEM) describe() string { return "PEM" }

func (p PEMFile) certs(_ context.Context, known reload.Digest) ([]*x509.Certificate, reload.Digest, error) {
	return readCerts("PEMFile", string(p), known, func(content []byte) ([]*x509.Certificate, error) {
		if certpem.IsDER(content) {
			return nil, errors.New("this is DER, want PEM; use CertFile, which reads both")
		}
		return certpem.Parse(content)
	})
}

func (PEMFile) reloads() bool      { return true }
func (p PEMFile) describe() string { return "file " + quote(string(p)) }

func (f CertFunc) certs(ctx context.Context, known reload.Digest) ([]*x509.Certificate, reload.Digest, error) {
	certs, err := f(ctx)
	if err != nil {
		return nil, reload.Digest{}, lineError{err}
	}
	sum, err := digestOf(certs)
	if err != nil || sum == known {
		return nil, sum, err
	}
	return slices.Clone(certs), sum, nil
}

func (CertFunc) reloads() bool    { return true }
func (CertFunc) describe() string { return "function" }

func (s certificateSet) certs(context.Context, reload.Digest) ([]*x509.Certificate, reload.Digest, error) {
	sum, err := digestOf(s.list)
	return s.list, sum, err
}

func (certificateSet) reloads() bool    { return false }
func (certificateSet) describe() string { return "certificates" }

func (systemRoots) certs(context.Context, reload.Digest) ([]*x509.Certificate, reload.Digest, error) {
	return nil, reload.Digest{}, errors.New("the system's roots can only be the Roots of a Chain")
}

func (systemRoots) reloads() bool    { return false }
func (systemRoots) describe() string { return "system roots (insecure)" }

func digestOf(certs []*x509.Certificate) (reload.Digest, error) {
	if len(certs) == 0 {
		return reload.Digest{}, errors.New("no certificate")
	}
	h := sha256.New()
	for i, cert := range certs {
		if cert == nil || len(cert.Raw) == 0 {
			return reload.Digest{}, fmt.Errorf("certificate %d is nil or was not parsed", i)
		}
		h.Write(cert.Raw) // DER delimits itself, so the concatenation is unambiguous
	}
	return reload.Digest(h.Sum(nil)), nil
}

// readFile reads a regular file of bounded size. It refuses a device or a pipe, which could block
// or never end.
func readFile(name string, limit int64) (content []byte, err error) {
	file, _, err := regular.Open(name)
	if err != nil {
		return nil, fileError(name, err)
	}
	defer func() { err = errors.Join(err, fileError(name, file.Close())) }()
	content, err = io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, fileError(name, err)
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("file %s: larger than %d bytes", quote(name), limit)
	}
	return content, nil
}

// fileError names the file itself, because the text of an [fs.PathError] contains the whole name,
// including line ends.
func fileError(name string, err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) && !filepath.IsAbs(name) {
		if directory, unknown := os.Getwd(); unknown == nil {
			return fmt.Errorf("file %s: %w (the working directory is %s)", quote(name), err, quote(directory))
		}
	}
	return fmt.Errorf("file %s: %w", quote(name), err)
}

// looksLikePath reports whether a text is probably the name of a file.
func looksLikePath(text string) bool {
	if len(text) > 4096 || strings.ContainsAny(text, "\r\n") || logtext.LooksSecret(text) || strings.HasPrefix(text, "@") {
		return false
	}
	switch strings.ToLower(filepath.Ext(text)) {
	case ".pem", ".crt", ".cer", ".der", ".txt":
		return true
	}
	return strings.HasPrefix(text, "/") || strings.HasPrefix(text, "./") || strings.HasPrefix(text, "../") || strings.HasPrefix(text, "~/") || len(text) > 2 && text[1:3] == `:\`
}

// lineError formats an error of the operator's own function as one short line.
type lineError struct{ err error }

func (e lineError) Error() string { return logtext.Line(e.err.Error(), maxDetail) }
func (e lineError) Unwrap() error { return e.err }
