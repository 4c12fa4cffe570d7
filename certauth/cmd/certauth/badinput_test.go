package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// For any content of a file, the exit status is 1 or 2 as the help says, with a short message, and never a panic.
func TestMain_WhateverTheFileHolds(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	require.Equal(t, exitOK, certauthRun(t, "", "pki", "pki").code)
	write := func(name string, content []byte) { require.NoError(t, os.WriteFile(name, content, 0o600)) }
	write("empty", nil)
	write("blank", []byte(" \n\t\n"))
	write("binary", bytes.Repeat([]byte{0xfe, 0, 0x30, 0x82, 0xff, '\n'}, 1000))
	write("der", []byte{0x30, 0x82, 0x01, 0x00, 0x02})
	write("utf16", []byte("\xff\xfe{\x00}\x00"))
	write("text", []byte("a line of a log that is no JSON\n"))
	write("cut.pem", []byte("-----BEGIN CERTIFICATE-----\nMIIB\n"))
	write("nested", bytes.Repeat([]byte("["), 100_000))
	large, err := os.Create("large")
	require.NoError(t, err)
	require.NoError(t, large.Truncate(100<<20)) // sparse, so that it takes no space
	require.NoError(t, large.Close())
	require.NoError(t, os.Mkdir("directory", 0o700))
	write("unreadable", []byte("{}"))
	require.NoError(t, os.Chmod("unreadable", 0))
	const policy = "pki/policy.json"
	for _, name := range []string{"empty", "blank", "binary", "der", "utf16", "text", "cut.pem", "nested", "large", "directory", "unreadable", "not-there.pem"} {
		for _, row := range []struct {
			args []string
			code int // exitFailed is also permitted
		}{
			{[]string{"inspect", name}, exitFailed},
			{[]string{"check", name}, exitNo},
			{[]string{"explain", "-policy", name, "pki/orders.pem"}, exitFailed},
			{[]string{"explain", "-policy", policy, "-revocation", "good", name}, exitNo},
			{[]string{"explain", "-policy", policy, "-revocation", "good", "-request", name}, exitFailed},
			{[]string{"explain", "-policy", policy, "-record", name}, exitFailed},
			{[]string{"diff", name, policy}, exitFailed},
			{[]string{"diff", policy, name}, exitFailed},
			{[]string{"audit", name}, exitFailed},
			{[]string{"audit", "-policy", name, "text"}, exitFailed},
			{[]string{"revocation", "-roots", name, "pki/orders.pem"}, exitFailed},
			{[]string{"revocation", "-roots", "pki/root.pem", "-issuing", name, "pki/orders.pem"}, exitFailed},
			{[]string{"revocation", "-roots", "pki/root.pem", name}, exitFailed},
		} {
			got := certauthRun(t, "", row.args...)
			what := fmt.Sprintf("%q: %d %.300s", row.args, got.code, got.errs)
			assert.Contains(t, []int{row.code, exitFailed}, got.code, what)
			if got.code == exitFailed {
				assert.Empty(t, got.out, what)
				assert.True(t, strings.HasPrefix(got.errs, "certauth "+row.args[0]+": "), what)
				assert.Less(t, len(got.errs), 500, what)
				assert.NotContains(t, got.errs, "Policy.All", what)
			}
			for line := range strings.Lines(got.out + got.errs) {
				assert.NotContains(t, line, ": : ", what)
			}
		}
	}
}

// A file that cannot be opened gives no answer, which is not a mistake in a document.
func TestCheck_WhatHoldsNoDocumentIsTwo(t *testing.T) {
	for _, name := range []string{t.TempDir(), os.DevNull, "-", filepath.Join(t.TempDir(), "none")} {
		got := certauthRun(t, "{}", "check", name)
		assert.Equal(t, exitFailed, got.code, name)
		assert.Empty(t, got.out, name)
	}
}

// The name of a file without a certificate was taken for the value of the header.
func TestExplain_ValueIsAFileOrTheTextItself(t *testing.T) {
	w := newWorld(t)
	policy := w.policy(`{"all": [` + chain + `]}`)
	w.write("cut.header", "X-ARR-ClientCert: MIIB!\n")
	w.write("empty.header", "\n")
	w.write("two.header", "MIIB\nMIIC%\n")
	for _, row := range []struct {
		value, want string
		code        int
	}{
		{w.path("cut.header"), "refused: certificate_malformed", exitNo},
		{"MIIB!", "refused: certificate_malformed", exitNo},
		{"MIIB!", `"MIIB!" is not the name of a file`, exitNo},
		{w.path("empty.header"), "nothing is there", exitFailed},
		{w.path("two.header"), "neither PEM nor base64", exitFailed},
		{w.dir, "is a directory", exitFailed},
		{"orders.hedaer", `"orders.hedaer" is not a file`, exitFailed},
		{w.path("none.pem"), "is not a file", exitFailed},
	} {
		got := certauthRun(t, "", "explain", "-policy", policy, "-revocation", "good", row.value)
		assert.Equal(t, row.code, got.code, "%s: %s", row.value, got.out+got.errs)
		assert.Contains(t, got.out+got.errs, row.want, row.value)
	}
}

// finding P1, for arguments of the command.
func TestArguments_ThatAreKeysAreNotShown(t *testing.T) {
	w := newWorld(t)
	policy := w.policy(`{"all": [` + chain + `]}`)
	key := "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g" // of RFC 8037, appendix A.1
	for _, arguments := range [][]string{
		{"inspect", key},
		{"explain", key},
		{key},
		{"inspect", "client.pem", key},
		{"inspect", "PARTNER_KEY=" + key}, // finding P12
		{"explain", "-policy", policy, "-header", key},
		{"explain", "-policy", policy, "-revocation", "good", key},
		{"explain", "-policy", policy, "-revocation", "good", "X-Client-Cert: " + key},
	} {
		got := certauthRun(t, "", arguments...)
		assert.NotContains(t, got.out+got.errs, key[24:40], arguments)
		assert.NotEqual(t, exitOK, got.code, arguments)
	}
}

func TestInspect_SaysWhatIsThereInsteadOfACertificate(t *testing.T) {
	t.Chdir(t.TempDir())
	require.Equal(t, exitOK, certauthRun(t, "", "pki", "pki").code)
	require.NoError(t, os.WriteFile("der", []byte{0x30, 0x03, 0x02, 0x01, 0x05}, 0o600))
	// finding N118: of PKCS #7, in which Windows saves chains (.p7b), only the parser's error was printed.
	require.NoError(t, os.WriteFile("chain.p7b", []byte{0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02, 0xa0, 0x00}, 0o600))
	for name, want := range map[string]string{
		"pki/issuing.crl": "a CRL, not a certificate",
		"pki/orders.ocsp": "an OCSP answer, not a certificate",
		"pki/orders.key":  `no certificate in the PEM text, but "PRIVATE KEY"`,
		"chain.p7b":       "PKCS #7, not a certificate; openssl pkcs7 -inform der -print_certs",
		"der":             "DER, and neither a certificate nor a PFX that opens",
	} {
		got := certauthRun(t, "", "inspect", name)
		assert.Equal(t, exitFailed, got.code, name)
		assert.Contains(t, got.errs, name+": "+want)
		assert.Less(t, len(got.errs), 250, name)
	}
	got := certauthRun(t, "", "inspect", "-front-end", "Ngnix", "pki/orders.pem")
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.errs, `no front end "Ngnix"; "certauth front-end -names" lists them`)
}

func TestRevocation_CheckerAndPolicyGoTogether(t *testing.T) {
	t.Chdir(t.TempDir())
	require.Equal(t, exitOK, certauthRun(t, "", "pki", "pki").code)
	for _, row := range [][]string{{"-policy and -checker go together", "-policy", "pki/policy.json"}, {"-policy and -checker go together", "-checker", "lists"}, {`it has ["lists"]`, "-policy", "pki/policy.json", "-checker", "list"}} {
		got := certauthRun(t, "", append([]string{"revocation", "-roots", "pki/root.pem", "pki/orders.pem"}, row[1:]...)...)
		assert.Equal(t, exitFailed, got.code)
		assert.Contains(t, got.errs, row[0])
	}
}

// full is a disk that becomes full after some bytes.
type full struct{ left int }

func (f *full) Write(text []byte) (int, error) {
	if n := min(f.left, len(text)); n < len(text) {
		f.left = 0
		return n, errors.New("no space left on device")
	}
	f.left -= len(text)
	return len(text), nil
}

// An answer that could not be written counted as given.
func TestMain_AnAnswerThatCannotBeWrittenIsTwo(t *testing.T) {
	t.Chdir(t.TempDir())
	require.Equal(t, exitOK, certauthRun(t, "", "pki", "pki").code)
	for _, args := range [][]string{
		{"-h"},
		{"check", "-h"},
		{"check", "pki/policy.json"},
		{"check", "-json", "pki/policy.json"},
		{"inspect", "pki/orders.pem"},
		{"explain", "-policy", "pki/policy.json", "-revocation", "good", "pki/orders.pem"},
		{"explain", "-policy", "pki/policy.json", "pki/stranger.pem"},
		{"diff", "pki/policy.json", "pki/policy.json"},
		{"schema"},
		{"completions", "bash"},
		{"front-end", "-names"},
		{"pki", "another"},
		{"revocation", "-roots", "pki/root.pem", "-issuing", "pki/issuing.pem", "pki/orders.pem"},
	} {
		for _, left := range []int{0, 5} {
			var errs bytes.Buffer
			p := &program{ctx: t.Context(), stdin: strings.NewReader(""), out: &full{left}, errs: &errs, now: time.Now, all: commands()}
			assert.Equal(t, exitFailed, p.main(args), "%q", args)
			assert.Contains(t, errs.String(), "no space left on device", "%q", args)
			_ = os.RemoveAll("another")
		}
	}
}

func TestMain_HelpDocumentsTheExitStatus(t *testing.T) {
	for _, c := range []string{"inspect", "explain", "check", "diff", "audit", "revocation"} {
		assert.Contains(t, certauthRun(t, "", c, "-h").out, "xit status", c)
	}
	for _, c := range []string{"pki", "schema", "completions"} {
		assert.NotContains(t, certauthRun(t, "", c, "-h").out, "[flags]", c)
	}
	assert.Equal(t, certauthRun(t, "", "-h"), certauthRun(t, "", "-h", "-h"))
}

// finding O76: these named fields of Go values, which the operator of this command does not have, or none at all.
func TestMistakes_NameWhatTheCommandLineHas(t *testing.T) {
	t.Chdir(t.TempDir())
	require.Equal(t, exitOK, certauthRun(t, "", "pki", "pki").code)
	for _, row := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"revocation", "-roots", "pki/root.pem", "pki/orders.pem"}, exitFailed, "add the issuing CA to -issuing, or to -roots if it is a root"},
		{[]string{"revocation", "-roots", "pki/orders.pem", "pki/orders.pem"}, exitFailed, `-roots: certificate 0 ("CN=orders,O=certauthtest") is not a CA certificate`},
		{[]string{"revocation", "-roots", "pki/root.pem", "-issuing", "pki/issuing.pem", "pki/orders.pem"}, exitNo, "here, put them into a document, and name it with -policy and -checker"},
		{[]string{"revocation", "-roots", "pki/root.pem", "-timeout", "0s", "pki/orders.pem"}, exitFailed, "-timeout: want a positive duration"},
		{[]string{"check", ""}, exitFailed, "an argument is empty; is a variable not set?"},
		{[]string{"pki", ""}, exitFailed, "an argument is empty"},
	} {
		got := certauthRun(t, "", row.args...)
		assert.Equal(t, row.code, got.code, row.args)
		assert.Contains(t, got.out+got.errs, row.want)
	}
}

// finding O80: of a server that accepts connections and does not answer, the error named neither it nor what it lacks.
func TestInspect_NamesAServerThatDoesNotAnswer(t *testing.T) {
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond) // sooner than the command gives up itself
	defer cancel()
	p := &program{ctx: ctx}
	_, err = p.presentedBy(silent.Addr().String())
	assert.EqualError(t, err, silent.Addr().String()+" does not answer in time; does it speak TLS?")
}
