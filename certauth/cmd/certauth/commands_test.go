package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	pkcs12 "software.sslmate.com/src/go-pkcs12"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
)

func TestInspect_ReadsACertificateInEveryForm(t *testing.T) {
	w := newWorld(t)
	client := w.issuing.Issue(t, "orders", certauthtest.DNS("orders.partner.example"), certauthtest.URI(t, "spiffe://partner.example/orders"), certauthtest.Email("a@partner.example"), certauthtest.IP("10.1.2.3"))
	pfx, err := pkcs12.Modern.Encode(client.Key, client.Certificate, []*x509.Certificate{w.issuing.Certificate}, "secret")
	require.NoError(t, err)
	forms := map[string][]string{
		"PEM":        {w.write("client.pem", string(client.PEM()))},
		"DER":        {w.write("client.der", string(client.Raw))},
		"PFX":        {"-password", "secret", w.write("client.pfx", string(pfx))},
		"base64 DER": {client.Base64()},
	}
	for _, name := range certauthtest.FrontEnds() {
		r := &http.Request{Header: http.Header{}}
		certauthtest.FrontEnd{Name: name}.Forward(t, r, client)
		for header, values := range r.Header {
			if len(values[0]) > 300 {
				forms[name] = []string{header + ": " + values[0]}
			}
		}
		require.Contains(t, forms, name)
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{Certificates: []tls.Certificate{client.TLS()}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	forms["a server"] = []string{server.Listener.Addr().String()}
	// finding N81: of a server that requires a certificate of its clients, with TLS 1.2, only its refusal was printed.
	strict := httptest.NewUnstartedServer(http.NotFoundHandler())
	strict.TLS = &tls.Config{Certificates: []tls.Certificate{client.TLS()}, MaxVersion: tls.VersionTLS12, ClientAuth: tls.RequireAnyClientCert}
	strict.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	strict.StartTLS()
	t.Cleanup(strict.Close)
	forms["a server that requires a certificate"] = []string{strict.Listener.Addr().String()}
	for name, args := range forms {
		t.Run(name, func(t *testing.T) {
			got := certauthRun(t, "", append([]string{"inspect", "-json"}, args...)...)
			require.Equal(t, exitOK, got.code, got.errs)
			var d described
			require.NoError(t, json.Unmarshal([]byte(got.out), &d))
			assert.Equal(t, client.Thumbprint(), d.SHA256)
			assert.Equal(t, map[string][]string{"dns": {"orders.partner.example"}, "uri": {"spiffe://partner.example/orders"}, "email": {"a@partner.example"}, "ip": {"10.1.2.3"}}, d.Names)
			block, _ := pem.Decode([]byte(d.PEM))
			require.NotNil(t, block)
			assert.Equal(t, client.Raw, block.Bytes)
		})
	}
	got := certauthRun(t, string(client.PEM()), "inspect", "-front-end", "all", "-")
	for _, name := range certauthtest.FrontEnds() {
		assert.Contains(t, got.out, "\n"+name+"\n")
	}
	for _, args := range [][]string{{w.write("key.pem", string(client.KeyPEM(t)))}, {client.Base64()[:99]}, {"-password", "wrong", w.path("client.pfx")}} {
		assert.Equal(t, exitFailed, certauthRun(t, "", append([]string{"inspect"}, args...)...).code)
	}
}

// The snippets of inspect are rules that accept the certificate.
func TestInspect_ShowsRulesThatLetItIn(t *testing.T) {
	w := newWorld(t)
	client := w.issuing.Issue(t, "Müller, \"A\"+B", certauthtest.DNS("a.example", "*.b.example"))
	got := certauthRun(t, "", "inspect", "-json", client.Base64())
	var d described
	require.NoError(t, json.Unmarshal([]byte(got.out), &d))
	require.GreaterOrEqual(t, len(d.Policies), 4)
	for _, policy := range d.Policies {
		_, err := policyfile.UnmarshalPolicy(policy, nil)
		require.NoError(t, err)
		explained := certauthRun(t, "", "explain", "-policy", w.policy(`{"all": [`+chain+`, `+string(policy)+`]}`), client.Base64())
		assert.Equal(t, exitOK, explained.code, "%s: %s", policy, explained.out)
	}
}

// finding O64: of a certificate that no policy accepts it said nothing, and tried a rule for each of its names, of which a file
// has room for a million.
func TestInspect_SaysWhyNoRuleLetsItIn(t *testing.T) {
	w := newWorld(t)
	var names []string
	for i := range 3000 {
		names = append(names, fmt.Sprintf("n%d.example", i))
	}
	for want, change := range map[string]certauthtest.Template{
		"no rule lets it in: certificate 0: serial number is not positive": func(c *x509.Certificate) { c.SerialNumber = new(big.Int) },
		"bytes, want at most 16384":                                        certauthtest.DNS(names...),
	} {
		got := certauthRun(t, "", "inspect", "-json", w.issuing.Issue(t, "orders", change).Base64())
		require.Equal(t, exitOK, got.code, got.errs)
		var d described
		require.NoError(t, json.Unmarshal([]byte(got.out), &d))
		assert.Contains(t, strings.Join(d.Notes, "; "), want)
		assert.Empty(t, d.Policies)
		assert.NotEmpty(t, d.Serial)
	}
}

func TestInspect_SaysWhenToRenew(t *testing.T) {
	w := newWorld(t)
	soon := w.issuing.Issue(t, "x", certauthtest.Valid(time.Now().Add(-time.Hour), time.Now().Add(48*time.Hour)))
	assert.Equal(t, exitOK, certauthRun(t, "", "inspect", soon.Base64()).code)
	assert.Equal(t, exitOK, certauthRun(t, "", "inspect", "-renew", "24h", soon.Base64()).code)
	// finding O22: -renew 0s and negative durations were as good as none, so that a certificate that has ended exited with 0.
	ended := w.issuing.Issue(t, "ended", certauthtest.Valid(time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)))
	assert.Equal(t, exitNo, certauthRun(t, "", "inspect", "-renew", "0s", ended.Base64()).code)
	assert.Equal(t, exitOK, certauthRun(t, "", "inspect", "-renew", "0s", soon.Base64()).code)
	for _, within := range []string{"-1h", "30d", ""} {
		assert.Equal(t, exitFailed, certauthRun(t, "", "inspect", "-renew", within, ended.Base64()).code, within)
	}
	got := certauthRun(t, "", "inspect", "-renew", "72h", soon.Base64())
	assert.Equal(t, exitNo, got.code)
	assert.Contains(t, got.out, "it ends in 1 days")

	// finding N62: of a file with several certificates, such as the roots of a partner, only the first counted.
	later := w.issuing.Issue(t, "later", certauthtest.Valid(time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)))
	bundle := w.write("bundle.pem", string(later.PEM())+string(soon.PEM()))
	got = certauthRun(t, "", "inspect", "-renew", "72h", bundle)
	assert.Equal(t, exitNo, got.code)
	assert.Contains(t, got.out, soon.NotAfter.UTC().Format(time.RFC3339))
	assert.Equal(t, exitOK, certauthRun(t, "", "inspect", "-renew", "24h", bundle).code)
}

// finding N53: of a file that Windows programs write, in UTF-16 or with a byte order mark, the error was that it is
// cut or that its line ends are gone.
func TestInspect_SaysThatAFileIsNoPlainText(t *testing.T) {
	w := newWorld(t)
	wide := strings.Join(strings.Split(string(w.root.PEM()), ""), "\x00") + "\x00"
	for content, want := range map[string]string{"\xff\xfe" + wide: "this is UTF-16", "\xfe\xff\x00" + wide: "this is UTF-16", "\ufeff" + string(w.root.PEM()): "a byte order mark"} {
		got := certauthRun(t, "", "inspect", w.write("windows.pem", content))
		assert.Equal(t, exitFailed, got.code)
		assert.Contains(t, got.errs, want)
	}
	policy := w.policy(chain)
	for _, args := range [][]string{{"audit"}, {"explain", "-record"}, {"explain", "-policy", policy, "-request"}, {"explain", "-policy", policy}} {
		got := certauthRun(t, "", append(args, w.write("windows.json", "\xff\xfe{\x00}\x00"))...)
		assert.Equal(t, exitFailed, got.code, args)
		assert.Contains(t, got.errs, "windows.json: this is UTF-16", args)
	}
	got := certauthRun(t, "\ufeff"+`{"msg": "certauth: denied", "reason": "chain_untrusted", "rule": "Policy.Chain"}`, "explain", "-record", "-")
	assert.Equal(t, exitNo, got.code, got.errs)
}

func TestCheck_TellsMistakesCasesAndWeaknessesApart(t *testing.T) {
	w := newWorld(t)
	w.write("client.pem", string(w.issuing.Issue(t, "x").PEM()))
	got := certauthRun(t, "", "check", w.policy(`{"dnsNames": ["a.example"]}`))
	assert.Equal(t, exitNo, got.code)
	assert.Contains(t, got.out, "mistake policy.json:3:26: policy.dnsNames: comes before any anchor")

	good := `{"source": {"appService": {}}, "policy": ` + chain + `, "cases": [{"name": "in", "certificate": {"pemFile": "client.pem"}, "at": "now", "expect": "accepted"}]}`
	got = certauthRun(t, "", "check", w.write("good.json", good))
	assert.Equal(t, exitOK, got.code, got.out)
	assert.Contains(t, got.out, "1 of 1 cases pass.\nok\n")
	assert.NotContains(t, got.out, "warning")
	got = certauthRun(t, "", "check", w.write("failing.json", strings.Replace(good, `"accepted"`, `"pin_mismatch"`, 1)))
	assert.Equal(t, exitNo, got.code)
	assert.Contains(t, got.out, `case "in": expected pin_mismatch, got accepted`)

	soon := certauthtest.NewCA(t, "Soon", certauthtest.Valid(time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)))
	w.write("soon.pem", string(soon.PEM()))
	weak := w.write("weak.json", `{
  "source": {"nginx": {"from": {"insecureAnyPeer": {}}}},
  "optional": true, "insecureReportOnly": true,
  "exclusions": [{"method": "POST", "path": "/", "reason": "r", "control": "c"}],
  "revocation": {"soft": {"mode": "softFail", "scope": "leafOnly", "verify": {"allowSHA1": true}}},
  "policy": {"any": [
    {"thumbprintsSHA1": ["`+strings.Repeat("ab", 20)+`"]},
    {"acceptServerAuth": {"reason": "partner has no other", "policy": {"chain": {"roots": {"pemFile": "soon.pem"}}}}},
    {"all": [{"chain": {"roots": {"insecureSystemRoots": {}}}}, {"dnsNames": ["*.a.example"]}, {"validity": {"clockSkew": "30m"}}]}
  ]}
}`)
	got = certauthRun(t, "", "check", weak)
	assert.Equal(t, exitOK, got.code, got.out)
	for _, want := range []string{
		"insecureAnyPeer", "nobody is kept out", "without a certificate reaches", "root path", "POST / needs no", "softFail", "leafOnly",
		"allowSHA1", "SHA-1: two certificates", "one pin and no backup", "web server's certificate", "CN=Soon", "insecureSystemRoots", `"*.a.example" matches`, "clockSkew 30m", "no cases",
		"weak.json:7: Policy.Any[0].ThumbprintsSHA1",
	} {
		assert.Contains(t, got.out, want)
	}
	assert.Equal(t, exitNo, certauthRun(t, "", "check", "-strict", weak).code)
	var answer checked
	require.NoError(t, json.Unmarshal([]byte(certauthRun(t, "", "check", "-json", weak).out), &answer))
	assert.GreaterOrEqual(t, len(answer.Warnings), 16)
}

func TestCheck_WarnsOfAFrontEndsWord(t *testing.T) {
	w := newWorld(t)
	got := certauthRun(t, "", "check", w.policy(`{"dnsNames": ["a.example"]}`, `{"nginx": {"from": {"unixSocket": {}}, "frontEndVerifies": true}}`))
	assert.Equal(t, exitOK, got.code, got.out)
	assert.Contains(t, got.out, "the front end's word stands for a chain")
}

// finding N24: a gate within another gate was not looked at, and no network of a gate was, however wide. The
// narrowest networks that are wide are one bit wider than a private network of Azure, /16, and than a
// site's IPv6 network, /48.
func TestCheck_WarnsOfGatesThatLetManyThrough(t *testing.T) {
	const remote, wide = "insecureRemoteAddr: middleware", "is very wide: whoever has an address in it can be any client"
	for gate, want := range map[string][]string{
		`{"insecureRemoteAddr": ["10.1.2.3"]}`:                                                                                  {remote},
		`{"anyGate": [{"peers": ["10.1.2.3"]}, {"insecureRemoteAddr": ["10.1.2.3"]}]}`:                                          {remote},
		`{"anyGate": [{"unixSocket": {}}, {"everyGate": [{"insecureRemoteAddr": ["::1"]}]}]}`:                                   {remote},
		`{"insecureRemoteAddr": ["10.0.0.0/8"]}`:                                                                                {remote, "10.0.0.0/8 " + wide},
		`{"peers": ["10.1.2.3", "10.0.0.0/8"]}`:                                                                                 {"10.0.0.0/8 " + wide},
		`{"peers": ["172.16.0.0/12"]}`:                                                                                          {"172.16.0.0/12 " + wide},
		`{"peers": ["20.0.0.0/8", "fc00::/7"]}`:                                                                                 {"20.0.0.0/8 " + wide, "fc00::/7 " + wide},
		`{"peers": ["10.2.0.0/15", "fd00::/47"]}`:                                                                               {"10.2.0.0/15 " + wide, "fd00::/47 " + wide},
		`{"anyGate": [{"unixSocket": {}}, {"peers": ["10.0.0.0/8"]}]}`:                                                          {"10.0.0.0/8 " + wide},
		`{"proxyProtocol": {"balancer": {"peers": ["10.0.0.0/8"]}, "frontEnds": ["10.1.2.3"]}}`:                                 {"10.0.0.0/8 " + wide},
		`{"proxyProtocol": {"balancer": {"unixSocket": {}}, "frontEnds": ["10.0.0.0/8"]}}`:                                      {"10.0.0.0/8 " + wide},
		`{"peers": ["10.1.0.0/16", "fd00::/48", "::1", "127.0.0.1"]}`:                                                           nil,
		`{"anyGate": [{"unixSocket": {}}, {"sharedSecret": {"header": "X-Secret", "values": [{"env": "CHECK_TEST_SECRET"}]}}]}`: nil,
	} {
		t.Run(gate, func(t *testing.T) {
			t.Setenv("CHECK_TEST_SECRET", "10.0.0.0/8 but thirty-two bytes or more of text")
			w := newWorld(t)
			got := certauthRun(t, "", "check", "-json", w.policy(chain, `{"nginx": {"from": `+gate+`}}`))
			assert.Equal(t, exitOK, got.code, got.out)
			var answer checked
			require.NoError(t, json.Unmarshal([]byte(got.out), &answer))
			var found []string
			for _, one := range answer.Warnings {
				if strings.HasPrefix(one.Path, "Source") {
					found = append(found, one.Text)
				}
			}
			require.Len(t, found, len(want), got.out)
			for i, text := range want {
				assert.Contains(t, found[i], text)
			}
		})
	}
}

// finding N28: the certificates of a revocation check are certificates of the configuration too, and the end
// of theirs was not warned of.
func TestCheck_WarnsOfTheEndOfCertificatesOfRevocationChecks(t *testing.T) {
	w := newWorld(t)
	soon := func(name string) string {
		ca := certauthtest.NewCA(t, name, certauthtest.Valid(time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)))
		return w.write(strings.ToLower(name)+".pem", string(ca.PEM()))
	}
	soon("Lists")
	soon("Asked")
	soon("Signer")
	got := certauthRun(t, "", "check", "-json", w.write("policy.json", `{"source": {"appService": {}}, "policy": `+chain+`, "revocation": {"strict": {
		"lists": [{"url": "http://crl.example/a.crl"}], "issuers": {"pemFile": "lists.pem"},
		"responders": [{"url": "http://ocsp.example", "issuer": {"pemFile": "asked.pem"}, "trusted": {"pemFile": "signer.pem"}}]}}}`))
	var answer checked
	require.NoError(t, json.Unmarshal([]byte(got.out), &answer))
	require.Empty(t, answer.Mistakes)
	ends := map[string]string{}
	for _, one := range answer.Warnings {
		if strings.Contains(one.Text, " ends on ") {
			ends[one.Path] = one.Text
		}
	}
	require.Len(t, ends, 3, got.out)
	assert.Contains(t, ends["Revocation.strict.Issuers"], "CN=Lists")
	assert.Contains(t, ends["Revocation.strict.Responders[0].Issuer"], "CN=Asked")
	assert.Contains(t, ends["Revocation.strict.Responders[0].Trusted"], "CN=Signer")
}

// finding N25: the warnings about revocation checks came in another order each time, so that two outputs
// for the same document differed.
func TestCheck_SaysTheSameEachTime(t *testing.T) {
	w := newWorld(t)
	var checks, want []string
	policy := chain
	for _, name := range []string{"g", "c", "a", "f", "b", "e", "d", "h"} {
		policy += `, {"notRevoked": {"checker": "` + name + `"}}`
		checks = append(checks, `"`+name+`": {"mode": "softFail"}`)
		want = append(want, "Revocation."+name)
	}
	slices.Sort(want)
	got := certauthRun(t, "", "check", "-json", w.write("policy.json", `{"source": {"appService": {}}, "policy": {"all": [`+policy+`]}, "revocation": {`+strings.Join(checks, ",")+`}}`))
	var answer checked
	require.NoError(t, json.Unmarshal([]byte(got.out), &answer))
	var found []string
	for _, one := range answer.Warnings {
		if strings.HasPrefix(one.Path, "Revocation.") {
			found = append(found, one.Path)
		}
	}
	assert.Equal(t, want, found)
}

func TestDiff_SaysWhoGainsAndWhoLoses(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.issuing.Issue(t, "a", certauthtest.DNS("a.example")), w.issuing.Issue(t, "b", certauthtest.DNS("b.example")), w.issuing.Issue(t, "c", certauthtest.DNS("c.example"))
	old := w.named("old", `{"all": [`+chain+`, {"dnsNames": ["a.example", "b.example"]}]}`)
	now := w.named("new", `{"all": [`+chain+`, {"dnsNames": ["b.example", "c.example"]}]}`)
	var record strings.Builder
	for i := range 300 {
		fmt.Fprintf(&record, "{\"certificate\": %q}\n", []*certauthtest.Certificate{a, b, c}[i%3].Base64())
	}
	got := certauthRun(t, record.String(), "diff", "-json", "-replay", "-", old, now)
	require.Equal(t, exitNo, got.code, got.errs)
	var answer diffAnswer
	require.NoError(t, json.Unmarshal([]byte(got.out), &answer))
	assert.Equal(t, 300, answer.Replayed)
	require.Len(t, answer.Loses, 1)
	assert.Contains(t, answer.Loses[0].Who, "CN=a,")
	assert.Equal(t, 100, answer.Loses[0].Times)
	assert.Equal(t, "accepted", answer.Loses[0].Old)
	assert.Equal(t, "name_not_allowed by Policy.All[1].DNSNames", answer.Loses[0].New)
	require.Len(t, answer.Gains, 1)
	assert.Contains(t, answer.Gains[0].Who, "CN=c,")
	assert.Empty(t, answer.Other)
	assert.Len(t, answer.Removed, 1)
	assert.Len(t, answer.Added, 1)
	assert.Contains(t, answer.Added[0], "c.example")

	same := certauthRun(t, record.String(), "diff", "-replay", "-", old, old)
	assert.Equal(t, exitOK, same.code)
	assert.Contains(t, same.out, "no difference")
	assert.Equal(t, exitFailed, certauthRun(t, "{}", "diff", "-replay", "-", old, now).code)
}

// finding N17: a caller that got another role counted as one that gains nothing, and the exit status was 0.
func TestDiff_ARoleIsAGain(t *testing.T) {
	w := newWorld(t)
	record := fmt.Sprintf("{\"certificate\": %q}\n", w.issuing.Issue(t, "a", certauthtest.DNS("a.example")).Base64())
	roles := func(name string, names ...string) string {
		policy := chain
		for _, role := range names {
			policy += `, {"named": {"name": "` + role + `", "policy": {"dnsNames": ["a.example"]}}}`
		}
		return w.named(name, `{"all": [`+policy+`]}`)
	}
	reader, both, writer := roles("reader", "reader"), roles("both", "reader", "writer"), roles("writer", "writer")
	for _, row := range []struct{ old, now, title string }{
		{reader, both, "who gains"}, {both, reader, "who loses"}, {reader, writer, "who gains"}, {roles("none"), reader, "who gains"},
	} {
		got := certauthRun(t, record, "diff", "-replay", "-", row.old, row.now)
		assert.Equal(t, exitNo, got.code, got.out+got.errs)
		assert.Contains(t, got.out, "\n"+row.title+"\n")
	}
}

// finding N26: a document that lets everybody in, by its mode, its exclusions or its gate, ended with 0, as if
// nobody gained anything: these do not depend on certificates, and only certificates were judged.
func TestDiff_WhatDependsOnNoCertificateIsADifference(t *testing.T) {
	w := newWorld(t)
	document := func(name, source, more string) string {
		return w.write(name, `{"source": `+source+`, "policy": `+chain+more+`}`)
	}
	const appService, nginx = `{"appService": {}}`, `{"nginx": {"from": {"peers": ["10.1.2.3"]}}}`
	const exclusion = `{"path": "/health", "reason": "probe", "control": "no data"}`
	old := document("old.json", appService, `, "exclusions": [`+exclusion+`]`)
	behind := document("nginx.json", nginx, "")
	for _, row := range []struct{ name, old, now string }{
		{"report only", old, document("report.json", appService, `, "insecureReportOnly": true, "exclusions": [`+exclusion+`]`)},
		{"optional", old, document("optional.json", appService, `, "optional": true, "exclusions": [`+exclusion+`]`)},
		{"another exclusion", old, document("excluded.json", appService, `, "exclusions": [`+exclusion+`, {"method": "POST", "path": "/orders", "reason": "r", "control": "c"}]`)},
		{"one exclusion less", old, document("none.json", appService, "")},
		{"outside of the platform", old, document("outside.json", `{"appService": {"insecureOutsideAppService": true}}`, `, "exclusions": [`+exclusion+`]`)},
		{"every sender", behind, document("any.json", `{"nginx": {"from": {"insecureAnyPeer": {}}}}`, "")},
		{"a wider gate", behind, document("wider.json", `{"nginx": {"from": {"peers": ["10.0.0.0/8"]}}}`, "")},
		{"another front end", old, behind},
	} {
		got := certauthRun(t, "", "diff", row.old, row.now)
		assert.Equal(t, exitNo, got.code, "%s: %s%s", row.name, got.out, got.errs)
		assert.Contains(t, got.out, "does not depend on certificates", row.name)
	}
	got := certauthRun(t, "", "diff", old, w.write("policy.json", `{"source": {"appService": {}}, "policy": {"all": [`+chain+`, {"dnsNames": ["*.a.example"]}]}, "exclusions": [`+exclusion+`]}`))
	assert.NotContains(t, got.out, "does not depend on certificates", "a rule")
}

// The results that are cached between records change no decision, to the nanosecond at each
// boundary.
func TestDiff_ReplaysEachMomentAsIfItWereTheFirst(t *testing.T) {
	w := newWorld(t)
	now := time.Now().UTC().Truncate(time.Second)
	client := w.issuing.Issue(t, "a", certauthtest.DNS("a.example"), certauthtest.Valid(now.Add(-time.Hour), now.Add(24*time.Hour)))
	policies := map[string]string{
		"old": `{"all": [` + chain + `, {"validity": {"clockSkew": "5m"}}]}`,
		"new": `{"all": [` + chain + `, {"validity": {"minRemaining": "2h", "maxLifetime": "400d"}}, {"dnsNames": ["a.example"]}]}`,
	}
	old, next := w.named("old", policies["old"]), w.named("new", policies["new"])
	count := func(text string) (sum [3]int) {
		var answer diffAnswer
		require.NoError(t, json.Unmarshal([]byte(text), &answer))
		for i, list := range [][]changed{answer.Gains, answer.Loses, answer.Other} {
			for _, one := range list {
				sum[i] += one.Times
			}
		}
		return sum
	}
	var all strings.Builder
	var want [3]int
	for _, end := range []time.Time{client.NotBefore, client.NotAfter, w.root.Certificate.NotBefore, w.issuing.Certificate.NotAfter} {
		for _, offset := range []time.Duration{0, 5 * time.Minute, -5 * time.Minute, -2 * time.Hour} {
			for _, by := range []time.Duration{-time.Second, -1, 0, 1, time.Second} {
				line := fmt.Sprintf("{\"certificate\": %q, \"at\": %q}\n", client.Base64(), end.Add(offset+by).UTC().Format(time.RFC3339Nano))
				all.WriteString(line)
				one := count(certauthRun(t, line, "diff", "-json", "-replay", "-", old, next).out)
				for i := range want {
					want[i] += one[i]
				}
			}
		}
	}
	got := certauthRun(t, all.String(), "diff", "-json", "-replay", "-", old, next)
	assert.Equal(t, want, count(got.out))
	assert.Positive(t, want[1], "some callers lose access")
}

func TestDiff_JudgesTheCasesOfBothByBoth(t *testing.T) {
	w := newWorld(t)
	w.write("client.pem", string(w.issuing.Issue(t, "x", certauthtest.DNS("a.example")).PEM()))
	document := func(name, role, more string) string {
		return w.write(name, `{"source": {"appService": {}}, "policy": {"named": {"name": "`+role+`", "policy": `+chain+`}}`+more+`}`)
	}
	old := document("old.json", "reader", `, "cases": [{"name": "the partner", "certificate": {"pemFile": "client.pem"}, "at": "now", "expect": "accepted"}]`)
	got := certauthRun(t, "", "diff", old, document("new.json", "writer", ""))
	assert.Equal(t, exitNo, got.code)
	assert.Contains(t, got.out, "the partner\n    was accepted as reader\n    is  accepted as writer\n")
}

func TestPKI_MakesAPolicyWhoseCasesPass(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	require.Equal(t, exitOK, certauthRun(t, "", "pki", dir).code)
	got := certauthRun(t, "", "check", filepath.Join(dir, "policy.json"))
	assert.Equal(t, exitOK, got.code, got.out)
	assert.Contains(t, got.out, "6 of 6 cases pass.")
	header, err := os.ReadFile(filepath.Join(dir, "orders.header"))
	require.NoError(t, err)
	for value, want := range map[string]string{
		string(header): "accepted", filepath.Join(dir, "revoked.pem"): "refused: certificate_revoked",
		filepath.Join(dir, "expired.pem"): "refused: certificate_expired", filepath.Join(dir, "stranger.pem"): "refused: chain_untrusted",
	} {
		got := certauthRun(t, "", "explain", "-policy", filepath.Join(dir, "policy.json"), value)
		assert.True(t, strings.HasPrefix(got.out, want+"\n"), got.out)
	}
	before, err := os.ReadFile(filepath.Join(dir, "root.pem"))
	require.NoError(t, err)
	assert.Equal(t, exitFailed, certauthRun(t, "", "pki", dir).code, "no file may be overwritten")
	after, err := os.ReadFile(filepath.Join(dir, "root.pem"))
	require.NoError(t, err)
	assert.Equal(t, before, after)
}

func TestRevocation_AsksAndTellsEachStep(t *testing.T) {
	w := newWorld(t)
	responder, lists := certauthtest.NewResponder(t, w.issuing), certauthtest.NewCRLServer(t, w.root)
	mux := http.NewServeMux()
	mux.Handle("/ocsp/", responder)
	mux.Handle("/root.crl", lists)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	issuing := w.root.NewIntermediate(t, "With points", certauthtest.CRLAt(server.URL+"/root.crl"))
	w.write("issuing.pem", string(issuing.PEM()))
	mux.Handle("/ocsp2/", certauthtest.NewResponder(t, issuing))
	own := certauthtest.NewResponder(t, issuing)
	mux.Handle("/own/", own)
	client := issuing.Issue(t, "orders", certauthtest.OCSPAt(server.URL+"/own/"))
	ask := func(args ...string) run {
		return certauthRun(t, "", append([]string{"revocation", "-roots", w.path("root.pem"), "-issuing", w.path("issuing.pem"), "-allow-net", "127.0.0.1/32"}, args...)...)
	}
	chainText := w.write("client.pem", string(client.PEM())+string(issuing.PEM()))
	got := ask(chainText)
	require.Equal(t, exitOK, got.code, got.errs+got.out)
	assert.True(t, strings.HasPrefix(got.out, "good\n"), got.out)
	assert.Contains(t, got.out, server.URL+"/own/")
	assert.Contains(t, got.out, server.URL+"/root.crl")
	assert.Regexp(t, `(?m)^ocsp POST|^ocsp GET`, got.out)
	own.Revoke(client.SerialNumber, 1)
	got = ask("-json", chainText)
	assert.Equal(t, exitNo, got.code)
	var answer revocationAnswer
	require.NoError(t, json.Unmarshal([]byte(got.out), &answer))
	assert.Equal(t, "revoked", answer.Status)
	require.NotEmpty(t, answer.Steps)
	assert.Positive(t, answer.Steps[0].Bytes)
	own.SetFault(certauthtest.Down)
	got = ask(chainText)
	assert.Equal(t, exitNo, got.code)
	assert.Contains(t, got.out, "unavailable\n")
	assert.Contains(t, got.out, "503")

	stranger := certauthtest.NewCA(t, "Stranger").Issue(t, "x", certauthtest.OCSPAt(server.URL+"/own/"))
	got = ask(w.write("stranger.pem", string(stranger.PEM())))
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.errs, "so revocation is not checked")
}

// finding N29: where the document's check accepts without evidence, the exit status said that the certificate
// is not revoked, although nobody could say.
func TestRevocation_ACheckThatAcceptsWithoutEvidenceIsNoAnswer(t *testing.T) {
	w := newWorld(t)
	responder := certauthtest.NewResponder(t, w.issuing)
	server := httptest.NewServer(responder)
	t.Cleanup(server.Close)
	asked := w.write("asked.pem", string(w.issuing.Issue(t, "asked", certauthtest.OCSPAt(server.URL+"/")).PEM()))
	silent := w.write("silent.pem", string(w.issuing.Issue(t, "silent").PEM()))
	policy := w.write("soft.json", `{"source": {"appService": {}}, "policy": `+chain+`, "revocation": {
		"soft": {"mode": "softFail", "scope": "leafOnly"}, "noSource": {"allowNoSource": true, "scope": "leafOnly"}}}`)
	ask := func(checker, file string) run {
		return certauthRun(t, "", "revocation", "-roots", w.path("root.pem"), "-issuing", w.path("issuing.pem"), "-allow-net", "127.0.0.1/32", "-policy", policy, "-checker", checker, file)
	}
	assert.Equal(t, exitOK, ask("soft", asked).code)
	responder.SetFault(certauthtest.Down)
	for checker, file := range map[string]string{"soft": asked, "noSource": silent} {
		got := ask(checker, file)
		assert.Equal(t, exitNo, got.code, "%s: %s%s", checker, got.out, got.errs)
		assert.Contains(t, got.out, "waived\n", checker)
		assert.Contains(t, got.out, "the document's check accepts it all the same", checker)
	}
}

// finding O26: with a check of a document -timeout had no effect, so that a slow responder seemed not to answer.
func TestRevocation_TimeoutIsThatOfTheCommand(t *testing.T) {
	w := newWorld(t)
	responder := certauthtest.NewResponder(t, w.issuing)
	server := httptest.NewServer(responder)
	t.Cleanup(server.Close)
	client := w.write("client.pem", string(w.issuing.Issue(t, "asked", certauthtest.OCSPAt(server.URL+"/")).PEM()))
	policy := w.write("impatient.json", `{"source": {"appService": {}}, "policy": `+chain+`, "revocation": {"c": {"scope": "leafOnly", "maxWait": "1ns"}}}`)
	for _, tc := range []struct {
		name  string
		fault certauthtest.Fault
		more  []string
		want  int
	}{
		{"the document's maxWait is over before a responder that hangs answers", certauthtest.Hanging, nil, exitNo},
		{"-timeout replaces it", certauthtest.Healthy, []string{"-timeout", "30s"}, exitOK},
	} {
		responder.SetFault(tc.fault)
		got := certauthRun(t, "", append([]string{"revocation", "-roots", w.path("root.pem"), "-issuing", w.path("issuing.pem"), "-allow-net", "127.0.0.1/32", "-policy", policy, "-checker", "c", client}, tc.more...)...)
		assert.Equal(t, tc.want, got.code, "%s: %s%s", tc.name, got.out, got.errs)
	}
}

// lockedBuffer can be written by the command while the test reads it.
type lockedBuffer struct {
	mutex sync.Mutex
	b     bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.b.String()
}

func TestFrontEnd_ForwardsWhatTheFrontEndSends(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%d %q", len(r.Header.Get("X-Client-Cert")), r.Header.Get("X-Client-Verify"))
	}))
	t.Cleanup(backend.Close)
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	var out lockedBuffer
	p := &program{ctx: ctx, stdin: strings.NewReader(""), out: &out, errs: io.Discard, now: time.Now, all: commands()}
	done := make(chan int, 1)
	go func() {
		done <- p.main([]string{"front-end", "-name", "Nginx", "-to", backend.URL, "-listen", "127.0.0.1:0", "-dir", dir})
	}()
	var base string
	require.Eventually(t, func() bool {
		if found := regexp.MustCompile(`https://127\.0\.0\.1:\d+/    # no`).FindString(out.String()); found != "" {
			base = strings.TrimSuffix(found, "/    # no")
		}
		return base != ""
	}, time.Minute, 10*time.Millisecond)
	assert.Contains(t, out.String(), "curl --cacert "+filepath.Join(dir, "server-ca.pem")+" --cert "+filepath.Join(dir, "client-a.pem"))
	call := func(certificate string) string {
		pool := x509.NewCertPool()
		ca, err := os.ReadFile(filepath.Join(dir, "server-ca.pem"))
		require.NoError(t, err)
		require.True(t, pool.AppendCertsFromPEM(ca))
		config := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
		if certificate != "" {
			pair, err := tls.LoadX509KeyPair(filepath.Join(dir, certificate+".pem"), filepath.Join(dir, certificate+".key"))
			require.NoError(t, err)
			config.Certificates = []tls.Certificate{pair}
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/", http.NoBody)
		require.NoError(t, err)
		r.Header.Set("X-Client-Cert", "forged")
		r.Header.Set("X-Client-Verify", "SUCCESS")
		response, err := client.Do(r)
		require.NoError(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return string(body)
	}
	assert.Regexp(t, `^[1-9]\d{2,} "SUCCESS"$`, call("client-a"))
	assert.Equal(t, `0 "NONE"`, call(""), "the client's own headers must be removed")
	cancel()
	assert.Equal(t, exitOK, <-done)
	_, err := net.Dial("tcp", strings.TrimPrefix(base, "https://"))
	assert.Error(t, err)
}

// finding O29: in the folder of a policy, the CA that a service trusts was replaced by a test CA, beside the keys of
// its clients. Finding O69: what was written before the file that exists stayed, and so did everything if the port was
// in use, so that the command failed the next time too.
func TestFrontEnd_OverwritesNoFile(t *testing.T) {
	w := newWorld(t)
	mine := w.write("client-b.key", string(w.root.PEM()))
	before, err := os.ReadDir(w.dir)
	require.NoError(t, err)
	busy, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = busy.Close() })
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"front-end", "-listen", "127.0.0.1:0", "-dir", w.dir}, "client-b.key exists already and is not overwritten; give another directory, or remove the old files"},
		{[]string{"front-end", "-listen", busy.Addr().String(), "-dir", filepath.Join(w.dir, "new")}, busy.Addr().String()},
		{[]string{"front-end", "-listen", busy.Addr().String()}, busy.Addr().String()},
	} {
		got := certauthRun(t, "", tc.args...)
		assert.Equal(t, exitFailed, got.code)
		assert.Contains(t, got.errs, tc.want)
		after, err := os.ReadDir(w.dir)
		require.NoError(t, err)
		assert.Len(t, after, len(before))
		left, err := os.ReadDir(temporary)
		require.NoError(t, err)
		assert.Empty(t, left)
	}
	kept, err := os.ReadFile(mine)
	require.NoError(t, err)
	assert.Equal(t, string(w.root.PEM()), string(kept))
}

func TestAudit_EndsWithOneForAnErrorAlone(t *testing.T) {
	const good = `{"name": "site", "type": "Microsoft.Web/sites", "httpsOnly": true, "clientCertEnabled": true, "clientCertMode": "Required"}
{"name": "site", "type": "Microsoft.Web/sites/config", "minTlsVersion": "1.2", "http20Enabled": false}`
	got := certauthRun(t, good, "audit", "-")
	assert.Equal(t, exitOK, got.code, got.errs)
	assert.Contains(t, got.out, "0 errors, 0 warnings")
	assert.Contains(t, got.out, "A clean audit is no authentication.")
	bad := strings.Replace(good, `"clientCertEnabled": true`, `"clientCertEnabled": false`, 1)
	dir := t.TempDir()
	sarif := filepath.Join(dir, "audit.sarif")
	got = certauthRun(t, bad, "audit", "-sarif", sarif, "-sarif-file", "infra/main.bicep", "-")
	assert.Equal(t, exitNo, got.code, got.errs)
	for _, want := range []string{"error 2 site: clientCertEnabled is false", "error 3 site", "az    az webapp update", "tf    client_certificate_enabled", "CKV_AZURE_17"} {
		assert.Contains(t, got.out, want)
	}
	content, err := os.ReadFile(sarif)
	require.NoError(t, err)
	assert.Contains(t, string(content), "infra/main.bicep")
	got = certauthRun(t, bad, "audit", "-json", "-")
	assert.Equal(t, exitNo, got.code)
	assert.True(t, json.Valid([]byte(got.out)))

	w := newWorld(t)
	policy := w.write("policy.json", `{"source": {"appService": {}}, "policy": `+chain+`, "exclusions": [{"path": "/health", "reason": "probe", "control": "no data"}]}`)
	got = certauthRun(t, good, "audit", "-policy", policy, "-")
	assert.Equal(t, exitOK, got.code)
	assert.Contains(t, got.out, `warning 19 site: the app exempts "/health"`)
}
