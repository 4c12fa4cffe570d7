package main

import (
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// hostile is text that clears a terminal, in two spellings, fakes a line, and reverses text.
const hostile = "x\x1b[2J\u009b31m\r\naccepted\u202e"

// onlyPrintable asserts that an output has nothing but lines of printable text.
func onlyPrintable(t *testing.T, text, of string) {
	t.Helper()
	for _, r := range text {
		if r != '\n' && !unicode.IsPrint(r) {
			assert.Fail(t, "what is not printable", "%U in the output of %s", r, of)
			return
		}
	}
	assert.NotContains(t, text, "\naccepted", of)
}

// finding N15: a stranger's certificate, or a line of a log, could send escape sequences to the operator's
// terminal and fake lines of the output.
func TestOutput_IsPrintableWhateverAStrangerWrites(t *testing.T) {
	w := newWorld(t)
	policy := w.policy(`{"all": [` + chain + `, {"dnsNames": ["orders.partner.example"]}]}`)
	stranger := certauthtest.NewCA(t, "Stranger").Issue(t, hostile, certauthtest.DNS("a\x1b[2J\naccepted"), certauthtest.Email("a\x1b]0;\x07@example.com"))
	file := w.write("stranger.pem", string(stranger.PEM()))
	record, err := json.Marshal(map[string]string{
		"time": hostile, "msg": "certauth: denied", "reason": hostile, "rule": "Policy" + hostile, "detail": hostile, "hint": hostile, "subject": hostile,
	})
	require.NoError(t, err)
	records := w.write("service.log", string(record))
	w.write("request", "GET / HTTP/1.1\r\nHost: a\r\n"+hostile+"\r\n\r\n")
	decisions := w.write("decisions.jsonl", fmt.Sprintf("{\"certificate\": %q}\n", stranger.Base64()))
	other := w.write("other.json", `{"source": {"appService": {}}, "policy": {"thumbprints": ["`+fmt.Sprintf("%x", sha256.Sum256(stranger.Raw))+`"]}}`)
	const written = `"x\u001b[2J\u009b31m\r\naccepted\u202e"`
	checked := w.write("checked.json", `{"source": {"appService": {}}, "policy": {"acceptServerAuth": {"reason": `+written+`, "policy": `+chain+`}}, "cases": [
  {"name": `+written+`, "at": "now", "certificate": {"pemFile": "stranger.pem"}, "expect": "accepted"}
]}`)
	for _, arguments := range [][]string{
		{"check", checked},
		{"check", "-json", checked},
		{"diff", policy, checked},
		{"inspect", file},
		{"inspect", "-json", file},
		{"inspect", "-front-end", "all", file},
		{"explain", "-policy", policy, file},
		{"explain", "-policy", policy, "-json", file},
		{"explain", "-policy", policy, "-record", records},
		{"explain", "-policy", policy, "-record", records, "-json"},
		{"explain", "-policy", policy, "-request", w.path("request")},
		{"revocation", "-roots", w.path("root.pem"), file},
		{"diff", "-replay", decisions, policy, other},
		{"inspect", hostile},
		{hostile},
	} {
		got := certauthRun(t, "", arguments...)
		onlyPrintable(t, got.out, "certauth "+strings.Join(arguments, " "))
		onlyPrintable(t, got.errs, "certauth "+strings.Join(arguments, " "))
		assert.NotEmpty(t, got.out+got.errs, arguments)
	}
}

// RFC 4514, section 2.4: the name that is shown can be written in a rule.
func TestInspect_ANameIsARuleWhateverIsInIt(t *testing.T) {
	w := newWorld(t)
	client := w.issuing.Issue(t, hostile, certauthtest.DNS("orders.partner.example"))
	name := nameOf(client.RawSubject)
	assert.Contains(t, name, `CN=x\1B[2J\C2\9B31m\0D\0Aaccepted\E2\80\AE`)
	written, err := json.Marshal(name)
	require.NoError(t, err)
	policy := w.policy(`{"all": [` + chain + `, {"subject": [` + string(written) + `]}]}`)
	file := w.path("client.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: client.Raw}), 0o600))
	got := certauthRun(t, "", "explain", "-policy", policy, file)
	assert.Equal(t, exitOK, got.code, got.out+got.errs)
}
