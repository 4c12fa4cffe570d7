package policyfile

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// maxMaterial bounds a file to which a document refers.
const maxMaterial = 16 << 20

// material reads the files and variables to which a document refers and records their digests, so
// that a change of them counts as a change of the document. It does not read material that certauth
// reloads itself. A file of certificates is read once, however often the document names it.
type material struct {
	seen  map[[sha256.Size]byte]bool
	files map[certificateFile]readCertificates
}

// certificateFile is a file of certificates in PEM, or in DER too.
type certificateFile struct {
	name string
	der  bool
}

type readCertificates struct {
	list []*x509.Certificate
	err  error
}

func (m *material) note(parts ...[]byte) {
	h := sha256.New()
	for _, part := range parts {
		h.Write(fmt.Appendf(nil, "%d:", len(part)))
		h.Write(part)
	}
	if m.seen == nil {
		m.seen = map[[sha256.Size]byte]bool{}
	}
	m.seen[[sha256.Size]byte(h.Sum(nil))] = true
}

// sum returns the digest of a text and of everything that was read with it, regardless of
// repetition.
func (m *material) sum(text []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write(fmt.Appendf(nil, "%d:", len(text)))
	h.Write(text)
	for _, sum := range slices.SortedFunc(maps.Keys(m.seen), func(a, b [sha256.Size]byte) int { return bytes.Compare(a[:], b[:]) }) {
		h.Write(sum[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func (m *material) file(name string) ([]byte, error) {
	content, err := m.read(name)
	return content, nameFile(name, err)
}

func (m *material) read(name string) ([]byte, error) {
	content, err := readRegular(name, maxMaterial)
	m.note([]byte(name), content)
	return content, err
}

func (m *material) env(name string) (string, error) {
	value := os.Getenv(name)
	m.note([]byte(name), []byte(value))
	if strings.TrimSpace(value) == "" {
		return "", fmt.Errorf("environment variable %s is not set or empty", quoted(name))
	}
	return value, nil
}

// secret reads a shared secret. Its errors do not name the file or the variable, because the secret
// itself is easily written where its name belongs.
func (m *material) secret(s secret) (string, error) {
	switch s := s.(type) {
	case secretEnv:
		value, err := m.env(string(s))
		if err != nil {
			return "", errors.New("the environment variable of this name is not set or empty")
		}
		return value, nil
	case secretFile:
		content, err := m.read(string(s))
		if err != nil {
			return "", fmt.Errorf("the file of this name: %w", err)
		}
		return strings.TrimRight(string(content), "\r\n"), nil
	}
	return "", errors.New("no secret")
}

func (m *material) certificates(from certauth.CertSource) ([]*x509.Certificate, error) {
	switch from := from.(type) {
	case certauth.PEM:
		return parsePEM(from)
	case certauth.Env:
		value, err := m.env(string(from))
		if err != nil {
			return nil, err
		}
		return parsePEM([]byte(value))
	case certauth.PEMFile:
		return m.certificatesIn(certificateFile{string(from), false})
	case certauth.CertFile:
		return m.certificatesIn(certificateFile{string(from), true})
	case interface{ List() []*x509.Certificate }:
		return from.List(), nil
	case certauth.CertDir:
		return m.certificateDir(string(from))
	}
	return nil, errors.New("these certificates cannot be read with the document")
}

func (m *material) certificatesIn(file certificateFile) ([]*x509.Certificate, error) {
	read, known := m.files[file]
	if !known {
		read.list, read.err = m.parse(file.name, file.der)
		if m.files == nil {
			m.files = map[certificateFile]readCertificates{}
		}
		m.files[file] = read
	}
	return read.list, read.err
}

func (m *material) parse(name string, der bool) ([]*x509.Certificate, error) {
	content, err := m.file(name)
	if err != nil {
		return nil, err
	}
	if der && len(content) > 0 && content[0] == 0x30 {
		cert, err := x509.ParseCertificate(content)
		if err != nil {
			return nil, nameFile(name, errors.New("DER that is not exactly one certificate"))
		}
		return []*x509.Certificate{cert}, nil
	}
	list, err := parsePEM(content)
	return list, nameFile(name, err)
}

func (m *material) certificateDir(name string) ([]*x509.Certificate, error) {
	entries, err := os.ReadDir(name)
	if err != nil {
		m.note([]byte(name))
		return nil, fmt.Errorf("directory %s: %w", quotedName(name), cause(err))
	}
	var all []*x509.Certificate
	for _, entry := range entries {
		if entry.IsDir() || strings.HasPrefix(entry.Name(), ".") || !slices.Contains([]string{".pem", ".crt", ".cer", ".der"}, strings.ToLower(filepath.Ext(entry.Name()))) {
			continue
		}
		list, err := m.certificatesIn(certificateFile{filepath.Join(name, entry.Name()), true})
		if err != nil {
			return nil, err
		}
		if all = append(all, list...); len(all) > 1000 {
			return nil, fmt.Errorf("directory %s: more than 1000 certificates", quotedName(name))
		}
	}
	m.note([]byte(name), fmt.Append(nil, len(all)))
	if len(all) == 0 {
		return nil, fmt.Errorf("directory %s: no certificate", quotedName(name))
	}
	return all, nil
}

var errDamaged = errors.New("a damaged PEM block; look for a byte order mark, text before a marker, lost line ends, or a missing end")

// parsePEM reads certificates and refuses everything else.
func parsePEM(text []byte) ([]*x509.Certificate, error) {
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return nil, errors.New("this is UTF-16, as Windows PowerShell writes it by > and Out-File; save it as UTF-8")
	}
	if strings.HasPrefix(strings.ToLower(strings.TrimSpace(string(text[:min(len(text), 64)]))), "@microsoft.") {
		return nil, errors.New("this is an App Configuration or Key Vault reference that App Service has not resolved; its identity needs access to the secret")
	}
	for _, mark := range []string{"\n<<<<<<<", "\n>>>>>>>"} { // with a label or without
		if strings.Contains("\n"+string(text), mark) {
			return nil, errors.New("it contains the marks of a merge conflict (<<<<<<<); resolve it, because otherwise both sides would be trusted")
		}
	}
	var list []*x509.Certificate
	for rest := text; ; {
		block, after := pem.Decode(rest)
		if block == nil {
			if bytes.Contains(rest, []byte("-----BEGIN")) {
				return nil, errDamaged
			}
			break
		}
		rest = after
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("a PEM block %.40q, want CERTIFICATE", block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d cannot be read: %w", len(list)+1, err)
		}
		list = append(list, cert)
	}
	if bytes.Count(text, []byte("-----BEGIN")) != len(list) {
		return nil, errDamaged
	}
	if len(list) == 0 {
		return nil, errors.New("no certificate in PEM")
	}
	return list, nil
}

// readFile reads a regular file of bounded size.
func readFile(name string, limit int64) ([]byte, error) {
	content, err := readRegular(name, limit)
	return content, nameFile(name, err)
}

// nameFile adds the name of the file to an error.
func nameFile(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("file %s: %w", quotedName(name), err)
}

// readRegular reads a regular file. A device or a pipe could block, or never end; even one that
// takes the place of the file at this moment does not make it wait. Errors do not contain the name
// of the file.
func readRegular(name string, limit int64) (content []byte, err error) {
	if name == "" {
		return nil, errors.New("an empty file name")
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, cause(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // the operator's document names it
	if err != nil {
		return nil, cause(err)
	}
	defer file.Close()
	if info, err = file.Stat(); err != nil {
		return nil, cause(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	content, err = io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, cause(err)
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("more than %d bytes", limit)
	}
	return content, nil
}

// cause removes the name of the file from the error: the mistake already contains it, or must not.
func cause(err error) error {
	if pathError, ok := errors.AsType[*os.PathError](err); ok {
		return pathError.Err
	}
	return err
}
