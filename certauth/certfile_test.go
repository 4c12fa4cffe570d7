package certauth_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// finding N7: the files that App Service provides under /var/ssl/certs, one DER file per
// certificate, could not be used, and a setting could not contain a CA.
func TestCertSource_FormsOfAppService(t *testing.T) {
	one, two := newWorld(t), newWorld(t)
	folder := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, content, 0o600))
		return path
	}
	both := append(one.ca.PEM(), two.ca.PEM()...)
	t.Setenv("CLIENT_CA", string(both))
	t.Setenv("CLIENT_CA_CRLF", strings.ReplaceAll(string(both), "\n", "\r\n"))
	write("certs/"+strings.ToUpper(thumbprint(one.ca.Certificate))+".der", one.ca.Certificate.Raw)
	write("certs/two.CRT", two.ca.PEM())
	write("certs/readme.txt", []byte("not looked at"))
	write("certs/.hidden.pem", []byte("not looked at"))
	write("certs/below.pem/three.pem", []byte("not looked at"))
	for name, tc := range map[string]struct {
		source certauth.CertSource
		two    bool
	}{
		"a DER file":               {certauth.CertFile(write("one.der", one.ca.Certificate.Raw)), false},
		"a DER file by any name":   {certauth.CertFile(write("one.pem", one.ca.Certificate.Raw)), false},
		"a PEM file of two":        {certauth.CertFile(write("both.cer", both)), true},
		"a directory":              {certauth.CertDir(filepath.Join(folder, "certs")), true},
		"a setting":                {certauth.Env("CLIENT_CA"), true},
		"a setting set on Windows": {certauth.Env("CLIENT_CA_CRLF"), true},
	} {
		t.Run(name, func(t *testing.T) {
			policy := certauth.Chain{Roots: tc.source}
			_, err := judge(t, policy, one.leaf.Certificate)
			require.NoError(t, err)
			_, err = judge(t, policy, two.leaf.Certificate)
			assert.Equal(t, !tc.two, err != nil, "%v", err)
			assert.Contains(t, must(t, certauth.Config{Source: fixedSource("s"), Policy: policy}).String(), "root: ")
		})
	}
}

// Errors of New name the file and the mistake in it, and nothing of its content.
func TestCertSource_ErrorsNameTheFile(t *testing.T) {
	w := newWorld(t)
	der, text := w.ca.Certificate.Raw, w.ca.PEM()
	key := w.leaf.KeyPEM(t)
	folder := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, content, 0o600))
		return path
	}
	dir := func(name string, contents ...[]byte) certauth.CertDir {
		require.NoError(t, os.MkdirAll(filepath.Join(folder, name), 0o700))
		for i, content := range contents {
			file(fmt.Sprintf("%s/%d.der", name, i), content)
		}
		return certauth.CertDir(filepath.Join(folder, name))
	}
	variable := func(value string) certauth.Env {
		t.Setenv("CLIENT_CA", value)
		return "CLIENT_CA"
	}
	for _, tc := range []struct {
		name   string
		source func() certauth.CertSource
		want   []string
	}{
		{"PEMFile of DER", func() certauth.CertSource { return certauth.PEMFile(file("a.pem", der)) }, []string{`a.pem": this is DER`, "use CertFile"}},
		{"no file", func() certauth.CertSource { return certauth.CertFile(filepath.Join(folder, "none.der")) }, []string{`none.der": no such file`}},
		{"no file name", func() certauth.CertSource { return certauth.CertFile("") }, []string{"CertFile: empty file name"}},
		{"text in the place of a name", func() certauth.CertSource { return certauth.CertFile(text) }, []string{"CertFile: this is PEM text"}},
		{"a directory as a file", func() certauth.CertSource { return certauth.CertFile(folder) }, []string{"not a regular file"}},
		{"DER and more after it", func() certauth.CertSource { return certauth.CertFile(file("b.der", append(bytes.Clone(der), 0))) }, []string{`b.der": not exactly one certificate in DER`}},
		{"two in DER", func() certauth.CertSource { return certauth.CertFile(file("c.der", append(bytes.Clone(der), der...))) }, []string{`c.der": not exactly one certificate in DER`}},
		{"half a DER file", func() certauth.CertSource { return certauth.CertFile(file("d.der", der[:len(der)/2])) }, []string{`d.der": not exactly one certificate in DER`}},
		{"an empty file", func() certauth.CertSource { return certauth.CertFile(file("e.der", nil)) }, []string{`e.der": no certificate`}},
		{"a key", func() certauth.CertSource { return certauth.CertFile(file("f.pem", key)) }, []string{`f.pem": block 0 is a "`, "want CERTIFICATE"}},
		{"no directory", func() certauth.CertSource { return certauth.CertDir(filepath.Join(folder, "nowhere")) }, []string{`nowhere": no such file`}},
		{"no directory name", func() certauth.CertSource { return certauth.CertDir("") }, []string{"CertDir: empty file name"}},
		{"a file as a directory", func() certauth.CertSource { return certauth.CertDir(file("g.der", der)) }, []string{`g.der": not a directory`}},
		{"an empty directory", func() certauth.CertSource { return dir("h") }, []string{`/h": none of 0 entries`}},
		{"one bad file among good ones", func() certauth.CertSource { return dir("i", der, []byte("x"), text) }, []string{`/i/1.der": no certificate`}},
		{"too many files", func() certauth.CertSource { return dir("j", make([][]byte, 1001)...) }, []string{`/j": more than 1000 certificate files`}},
		{"too much in all", func() certauth.CertSource { return dir("k", make([]byte, 9<<20), make([]byte, 9<<20)) }, []string{`/k/1.der": larger than `}},
		{"no variable", func() certauth.CertSource { return certauth.Env("CERTAUTH_NOT_SET") }, []string{`environment variable "CERTAUTH_NOT_SET": not set or empty`}},
		{"a variable of spaces", func() certauth.CertSource { return variable(" \n") }, []string{`"CLIENT_CA": not set or empty`}},
		{"line ends as two characters", func() certauth.CertSource { return variable(strings.ReplaceAll(string(text), "\n", `\n`)) }, []string{`"CLIENT_CA": contains "\n" as two characters`}},
		{"line ends as two characters, but for some", func() certauth.CertSource { return variable(strings.Replace(string(text), "\n", `\n`, 3)) }, []string{`"CLIENT_CA": contains "\n" as two characters`}},
		{"base64 once more", func() certauth.CertSource { return variable(base64.StdEncoding.EncodeToString(text)) }, []string{`"CLIENT_CA": is base64 of PEM`}},
		{"spaces for line ends", func() certauth.CertSource { return variable(strings.ReplaceAll(string(text), "\n", " ")) }, []string{`"CLIENT_CA": is one line`}},
		{"a key in a variable", func() certauth.CertSource { return variable(string(key)) }, []string{`"CLIENT_CA": block 0 is a "`, "want CERTIFICATE"}},
		{"something else", func() certauth.CertSource { return variable("partner-roots.pem") }, []string{`"CLIENT_CA": no certificate`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: certauth.Chain{Roots: tc.source()}})
			require.ErrorContains(t, err, "Policy.Chain.Roots: ")
			for _, want := range tc.want {
				assert.ErrorContains(t, err, want)
			}
			assert.Less(t, len(err.Error()), 400)
			assert.NotContains(t, err.Error(), "MII")
		})
	}
}

// finding N7: they are reloaded like a PEMFile, and after an error the last good set stays in use.
func TestCertSource_AreReadAgain(t *testing.T) {
	one, two := newWorld(t), newWorld(t)
	accepts := func(auth *certauth.Authenticator) bool { _, err := auth.Check(request()); return err == nil }
	for _, name := range []string{"CertFile", "CertDir", "Env"} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			file := filepath.Join(folder, "ca.der")
			t.Setenv("CLIENT_CA", "")
			var source certauth.CertSource
			write := func(cert *x509.Certificate, text []byte) {
				require.NoError(t, os.WriteFile(file+".next", cert.Raw, 0o600))
				require.NoError(t, os.Rename(file+".next", file))
				t.Setenv("CLIENT_CA", string(text))
			}
			write(one.ca.Certificate, one.ca.PEM())
			switch name {
			case "CertFile":
				source = certauth.CertFile(file)
			case "CertDir":
				source = certauth.CertDir(folder)
			default:
				source = certauth.Env("CLIENT_CA")
			}
			var outcomes []certauth.Outcome
			auth := must(t, certauth.Config{
				Source: fixedSource("s", two.leaf.Certificate), Policy: certauth.Chain{Roots: source},
				Observe: func(_ context.Context, e certauth.Event) { outcomes = append(outcomes, e.Outcome) },
			})
			require.False(t, accepts(auth))
			require.NoError(t, auth.Reload(t.Context()))
			assert.Empty(t, outcomes, "nothing has changed")
			write(two.ca.Certificate, two.ca.PEM())
			require.NoError(t, auth.Reload(t.Context()))
			assert.True(t, accepts(auth))
			write(&x509.Certificate{Raw: []byte("nothing")}, []byte("nothing"))
			require.Error(t, auth.Reload(t.Context()))
			assert.True(t, accepts(auth), "the last good set")
			require.NoError(t, os.Remove(file))
			t.Setenv("CLIENT_CA", "")
			require.Error(t, auth.Reload(t.Context()))
			assert.True(t, accepts(auth), "the last good set")
			assert.Equal(t, []certauth.Outcome{"reloaded", "kept", "kept"}, outcomes)
		})
	}
}

// A certificate that is removed from the directory is no longer trusted, and a source that is named
// twice is read once.
func TestCertDir_WhatIsGoneIsGone(t *testing.T) {
	one, two := newWorld(t), newWorld(t)
	folder := t.TempDir()
	for name, ca := range map[string]*certauthtest.CA{"one.der": one.ca, "two.der": two.ca} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), ca.Certificate.Raw, 0o600))
	}
	reloads := 0
	auth := must(t, certauth.Config{
		Source:  fixedSource("s", one.leaf.Certificate),
		Policy:  certauth.Any{certauth.Chain{Roots: certauth.CertDir(folder)}, certauth.Chain{Roots: certauth.CertDir(folder), StrictEKU: true}},
		Observe: func(_ context.Context, _ certauth.Event) { reloads++ },
	})
	_, err := auth.Check(request())
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(folder, "one.der")))
	require.NoError(t, auth.Reload(t.Context()))
	assert.Equal(t, 1, reloads)
	_, err = auth.Check(request())
	assert.Equal(t, certauth.ReasonChainUntrusted, reasonOf(err))
}

// An operator who writes a file's name instead of the text is told so; text that may be a key is
// not repeated.
func TestPEM_TellsAPathFromText(t *testing.T) {
	long := strings.Repeat("a", 4092)
	for text, want := range map[string]bool{
		"roots.pem": true, "ROOTS.PEM": true, "roots.crt": true, "roots.cer": true, "roots.der": true, "roots.txt": true,
		"/etc/ssl/roots": true, "./roots": true, "../roots": true, "~/roots": true, `C:\roots`: true, `C:\`: true, long + ".pem": true,
		"roots": false, "roots.pdf": false, "": false, "C:": false, "x/y": false, ".roots": false, "~roots": false,
		long + "a.pem": false, "line\nroots.pem": false, "line\rroots.pem": false, "@roots.pem": false,
		"PRIVATE KEY.pem": false, strings.Repeat("a", 5000) + "\n.pem": false, "@PRIVATE KEY\n.pem": false,
	} {
		_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: certauth.Chain{Roots: certauth.PEM(text)}})
		require.Error(t, err, "%q", text)
		assert.Equal(t, want, strings.Contains(err.Error(), "is a path, not PEM text; use PEMFile"), "%q: %v", text, err)
		assert.NotContains(t, err.Error(), "panic", "%q", text)
	}
}

// The documented limits are the largest accepted sizes: 16 MiB for one file, a thousand files.
func TestCertSource_TakesWhatIsExactlyAsLargeAsAllowed(t *testing.T) {
	w := newWorld(t)
	folder := t.TempDir()
	full := filepath.Join(folder, "full.pem")
	text := append(w.ca.PEM(), bytes.Repeat([]byte("#"), 16<<20)...)[:16<<20]
	require.NoError(t, os.WriteFile(full, text, 0o600))
	many := filepath.Join(folder, "many")
	require.NoError(t, os.Mkdir(many, 0o700))
	for i := range 1000 {
		require.NoError(t, os.WriteFile(filepath.Join(many, fmt.Sprintf("%d.der", i)), w.ca.Certificate.Raw, 0o600))
	}
	for _, source := range []certauth.CertSource{certauth.PEMFile(full), certauth.CertFile(full), certauth.CertDir(many)} {
		_, err := judge(t, certauth.Chain{Roots: source}, w.leaf.Certificate)
		assert.NoError(t, err)
	}
	require.NoError(t, os.WriteFile(full, append(text, '#'), 0o600))
	_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: certauth.Chain{Roots: certauth.PEMFile(full)}})
	assert.ErrorContains(t, err, "larger than 16777216 bytes")
}

// A relative name is another file in another directory, so its error says which; the error of a
// CertFunc's function can be found.
func TestCertSource_ErrorsSayWhereAndWhy(t *testing.T) {
	fail := func(source certauth.CertSource) error {
		_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: certauth.Chain{Roots: source}})
		require.Error(t, err)
		return err
	}
	assert.ErrorContains(t, fail(certauth.PEMFile("no-such-file.pem")), "the working directory is")
	assert.NotContains(t, fail(certauth.PEMFile(filepath.Join(t.TempDir(), "no-such-file.pem"))).Error(), "working directory")
	assert.NotContains(t, fail(certauth.CertDir("certfile_test.go")).Error(), "working directory", "it exists, but is not a directory")
	own := errors.New("vault")
	assert.ErrorIs(t, fail(certauth.CertFunc(func(context.Context) ([]*x509.Certificate, error) { return nil, own })), own)
	assert.ErrorContains(t, fail(certauth.CertFunc(func(context.Context) ([]*x509.Certificate, error) { return nil, nil })), "no certificate")
	assert.ErrorContains(t, fail(certauth.CertFunc(func(context.Context) ([]*x509.Certificate, error) { return []*x509.Certificate{nil}, nil })), "certificate 0 is nil")
}
