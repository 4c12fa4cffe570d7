package certauth

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/certpem"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
	"github.com/seed2886b8ae/go-certauth/internal/reload"
)

// CertFile names a file that holds certificates in PEM, as [PEMFile] reads them, or exactly one
// certificate in DER. The content of the file determines which, not its name. It is read again
// like a PEMFile.
type CertFile string

// CertDir names a directory of certificate files, each as for [CertFile]. App Service on Linux
// has /var/ssl/certs with a file <thumbprint>.der for each public certificate that the setting
// WEBSITE_LOAD_CERTIFICATES names.
//
// It reads the files whose names end in .pem, .crt, .cer or .der, in any case, and ignores other
// files, names that begin with a dot, and subdirectories. A file that cannot be read, or that
// holds anything but certificates, is an error that names it. So are a directory without a
// certificate, more than 1000 such files, and more than 16 MiB in total. The directory is read
// again like a [PEMFile]: after an error the last good set stays in use as a whole, and the
// certificates of a removed file are removed. Do not write files in place; rename complete ones
// into the directory.
type CertDir string

// maxDirFiles bounds the number of files in a CertDir.
const maxDirFiles = 1000

func (f CertFile) certs(_ context.Context, known reload.Digest) ([]*x509.Certificate, reload.Digest, error) {
	return readCerts("CertFile", string(f), known, parseCerts)
}

func (CertFile) reloads() bool      { return true }
func (f CertFile) describe() string { return "file " + quote(string(f)) }

func (d CertDir) certs(_ context.Context, known reload.Digest) ([]*x509.Certificate, reload.Digest, error) {
	if err := checkName("CertDir", string(d)); err != nil {
		return nil, reload.Digest{}, err
	}
	names, err := d.files()
	if err != nil {
		return nil, reload.Digest{}, err
	}
	left := int64(certpem.MaxBundle)
	h := sha256.New()
	contents := make([][]byte, len(names))
	for i, name := range names {
		if contents[i], err = readFile(name, left); err != nil {
			return nil, reload.Digest{}, err
		}
		left -= int64(len(contents[i]))
		sum := sha256.Sum256(contents[i])
		h.Write(sum[:])
	}
	sum := reload.Digest(h.Sum(nil))
	if sum == known {
		return nil, sum, nil
	}
	var all []*x509.Certificate
	for i, name := range names {
		certs, err := parseCerts(contents[i])
		if err != nil {
			return nil, reload.Digest{}, fileError(name, err)
		}
		all = append(all, certs...)
	}
	return all, sum, nil
}

// files lists the certificate files by name.
func (d CertDir) files() ([]string, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil, fileError(string(d), err)
	}
	var names []string
	for _, entry := range entries {
		name := entry.Name()
		if entry.IsDir() || strings.HasPrefix(name, ".") || !slices.Contains([]string{".pem", ".crt", ".cer", ".der"}, strings.ToLower(filepath.Ext(name))) {
			continue
		}
		if names = append(names, filepath.Join(string(d), name)); len(names) > maxDirFiles {
			return nil, fmt.Errorf("directory %s: more than %d certificate files", quote(string(d)), maxDirFiles)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("directory %s: none of %d entries is a file named .pem, .crt, .cer or .der", quote(string(d)), len(entries))
	}
	return names, nil
}

func (CertDir) reloads() bool      { return true }
func (d CertDir) describe() string { return "directory " + quote(string(d)) }

// checkName refuses texts that are not names of files.
func checkName(kind, name string) error {
	if name == "" {
		return fmt.Errorf("%s: empty file name", kind)
	}
	if logtext.LooksSecret(name) {
		return fmt.Errorf("%s: this is PEM text or DER, not a path; use PEM for the text itself", kind)
	}
	return nil
}

// readCerts reads one file.
func readCerts(kind, name string, known reload.Digest, parse func([]byte) ([]*x509.Certificate, error)) ([]*x509.Certificate, reload.Digest, error) {
	if err := checkName(kind, name); err != nil {
		return nil, reload.Digest{}, err
	}
	content, err := readFile(name, certpem.MaxBundle)
	if err != nil {
		return nil, reload.Digest{}, err
	}
	return parseNew(content, known, func(content []byte) ([]*x509.Certificate, error) {
		certs, err := parse(content)
		return certs, fileError(name, err)
	})
}

// parseNew parses the content, unless it is that with the known digest.
func parseNew[T any](content []byte, known reload.Digest, parse func([]byte) ([]T, error)) (list []T, sum reload.Digest, err error) {
	if sum = sha256.Sum256(content); sum != known {
		list, err = parse(content)
	}
	return list, sum, err
}

// parseCerts reads PEM, or one certificate in DER. Every certificate begins with the SEQUENCE tag
// and a length of more than 127, and no text does.
func parseCerts(content []byte) ([]*x509.Certificate, error) {
	if !certpem.IsDER(content) {
		return certpem.Parse(content)
	}
	cert, err := x509.ParseCertificate(content)
	if err != nil {
		return nil, errors.New("not exactly one certificate in DER; convert a PKCS #7 or PKCS #12 file to PEM")
	}
	return []*x509.Certificate{cert}, nil
}
