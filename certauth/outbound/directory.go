package outbound

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/seed2886b8ae/go-certauth/internal/regular"
)

// Directory is a folder with certificates and keys in any number of files: .p12 and .pfx; .pem, .crt, .cer, .der and
// .key in PEM, or with one certificate in DER. Keys are matched to certificates by value, so file names do not matter.
// Of the certificates that are usable and match Config.Select, the one with the latest NotBefore is used; without a
// Config.Select, all must have the same name. A file that cannot be read is skipped, and so is a newer certificate that has
// no key or cannot be used; both are reported, and are errors if nothing usable is left. Subfolders and hidden files are
// ignored.
//
// If the certificate in use is no longer there with its key, an older one replaces it, unless a file cannot be read or a
// newer certificate of its name has no key: then files may just be being written, and the load fails.
type Directory struct {
	// Path is the folder. Required.
	Path string
}

func (s Directory) read(ctx context.Context) ([]blob, error) {
	blobs, err := readFolder(ctx, s.Path)
	if err == nil && len(blobs) == 0 {
		missing := fail(ReasonSourceUnavailable, "no file in %s is named .p12, .pfx, .pem, .crt, .cer, .der or .key", s.Path)
		missing.Hint = "does the folder hold the certificate? a file of another name, as the Key Vault CSI driver gives it, is read with File, or under an alias with one of these extensions"
		blobs = []blob{{name: s.Path, err: missing}}
	}
	return blobs, err
}

func (s Directory) check() []error { return namesOf(".Path", s.Path, "", "") }

func (Directory) name() string { return "Directory" }
func (Directory) local() bool  { return true }

// AppService is the folder in which Azure App Service puts the certificates that the setting WEBSITE_LOAD_CERTIFICATES
// names: the one in WEBSITE_PRIVATE_CERTS_PATH if it is set, as in Windows containers, and otherwise /var/ssl/private
// or C:\appservice\certificates\private. Intermediates are also read from WEBSITE_INTERMEDIATE_CERTS_PATH. Windows code
// apps keep certificates in a certificate store, which this package cannot read.
//
// The files are selected by their contents and never by their names, so the case of a thumbprint does not matter. In
// Config.Select use the name rather than the thumbprint, because a renewed certificate has a new thumbprint.
type AppService struct{}

func (AppService) read(ctx context.Context) ([]blob, error) {
	folder := os.Getenv("WEBSITE_PRIVATE_CERTS_PATH")
	if folder == "" {
		folder = "/var/ssl/private"
		if runtime.GOOS == "windows" {
			folder = `C:\appservice\certificates\private`
		}
	}
	blobs, err := readFolder(ctx, folder)
	if err == nil && len(blobs) == 0 {
		err = fail(ReasonSourceUnavailable, "no certificate in %s", folder)
	}
	if err != nil {
		e := asError(err, ReasonSourceUnavailable)
		if os.Getenv("WEBSITE_LOAD_CERTIFICATES") == "" {
			e.Hint = "WEBSITE_LOAD_CERTIFICATES is not set: uploading a certificate does not load it; set the setting to its thumbprint or *, and restart"
		} else {
			e.Hint = "does WEBSITE_LOAD_CERTIFICATES name the thumbprint of a certificate with a private key that still exists?"
		}
		return nil, e
	}
	if folder = os.Getenv("WEBSITE_INTERMEDIATE_CERTS_PATH"); folder != "" {
		// The PKCS#12 files should hold the whole chain; the folder is a fallback, and need not be there.
		intermediates, err := readFolder(ctx, folder)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			intermediates = []blob{{name: folder, err: err}}
		}
		for _, b := range intermediates {
			b.certificatesOnly = true
			blobs = append(blobs, b)
		}
	}
	return blobs, nil
}

func (AppService) check() []error { return nil }
func (AppService) name() string   { return "AppService" }
func (AppService) local() bool    { return true }

const (
	// maxFiles bounds how many files of a folder are read, and maxFolder how many of its names are considered.
	maxFiles  = 256
	maxFolder = 4096
)

func readFolder(ctx context.Context, folder string) ([]blob, error) {
	handle, err := os.OpenFile(folder, regular.Flags, 0) //nolint:gosec // G304: the operator's own folder
	if err != nil {
		return nil, withoutPath(err, folder)
	}
	defer handle.Close()
	entries, err := handle.ReadDir(maxFolder + 1)
	if errors.Is(err, syscall.ENOTDIR) {
		file := withoutPath(err, folder)
		file.Hint = "name the folder of the certificate; for a file use File"
		return nil, file
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, withoutPath(err, folder)
	}
	if len(entries) > maxFolder {
		return nil, fail(ReasonSourceUnavailable, "%s has more than %d entries", folder, maxFolder)
	}
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	var blobs []blob
	for _, entry := range entries {
		if entry.IsDir() || strings.HasPrefix(entry.Name(), ".") || !isCertificateFile(entry.Name()) {
			continue
		}
		if len(blobs) == maxFiles {
			return nil, fail(ReasonSourceUnavailable, "%s has more than %d files with certificates or keys", folder, maxFiles)
		}
		if err := ctx.Err(); err != nil {
			return nil, fail(ReasonSourceUnavailable, "%s: %w", folder, err)
		}
		blobs = append(blobs, readFile(filepath.Join(folder, entry.Name())))
	}
	return blobs, nil
}

func isCertificateFile(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".p12", ".pfx", ".pem", ".crt", ".cer", ".der", ".key":
		return true
	}
	return false
}
