package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// warningsOf returns the warnings about a document, by path.
func warningsOf(t *testing.T, document string) (found []warning) {
	t.Helper()
	got := certauthRun(t, "", "check", "-json", document)
	var answer checked
	require.NoError(t, json.Unmarshal([]byte(got.out), &answer), got.errs)
	require.Empty(t, answer.Mistakes)
	return answer.Warnings
}

// finding N34: policies on the front end's own certificate are in a gate, where nothing was looked at; nor were
// the certificates of IssuedBy.
func TestCheck_WarnsOfWeaknessInPoliciesOnTheSender(t *testing.T) {
	w := newWorld(t)
	ending := certauthtest.NewCA(t, "Front Ends", certauthtest.Valid(time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)))
	w.write("ending.pem", string(ending.PEM()))
	const pin = `{"thumbprintsSHA1": ["00112233445566778899aabbccddeeff00112233"]}`
	const named = `{"all": [{"chain": {"roots": {"pemFile": "ending.pem"}}}, {"dnsNames": ["front.example"]}]}`
	for _, row := range []struct{ name, source, path, text string }{
		{"a pin", `{"nginx": {"from": {"proxyCertificate": {"policy": ` + pin + `}}}}`, "Source.From.ProxyCertificate.Policy.ThumbprintsSHA1", "SHA-1: two certificates"},
		{"one pin", `{"nginx": {"from": {"proxyCertificate": {"policy": ` + pin + `}}}}`, "Source.From.ProxyCertificate.Policy.ThumbprintsSHA1", "one pin and no backup"},
		{"a chain", `{"nginx": {"from": {"proxyCertificate": {"policy": ` + named + `}}}}`, "Source.From.ProxyCertificate.Policy.All[0].Chain.Roots", "CN=Front Ends"},
		{"in another gate", `{"nginx": {"from": {"anyGate": [{"unixSocket": {}},
			{"everyGate": [{"peers": ["10.1.2.3"]}, {"proxyCertificate": {"policy": ` + named + `}}]}]}}}`, "Source.From.AnyGate[1].EveryGate[1].ProxyCertificate.Policy.All[0].Chain.Roots", "CN=Front Ends"},
		{"of API Management", `{"apiManagement": {"from": {"appServiceCertificate": {"policy": ` + named + `}}}}`, "Source.From.AppServiceCertificate.Policy.All[0].Chain.Roots", "CN=Front Ends"},
	} {
		found := warningsOf(t, w.policy(chain, row.source))
		i := slices.IndexFunc(found, func(one warning) bool { return one.Path == row.path && strings.Contains(one.Text, row.text) })
		require.GreaterOrEqual(t, i, 0, "%s: %v", row.name, found)
		want := 2
		if row.name == "in another gate" {
			want = 3
		}
		assert.Equal(t, want, found[i].Line, row.name)
	}
	issued := warningsOf(t, w.policy(`{"all": [`+chain+`, {"issuedBy": {"certificates": {"pemFile": "ending.pem"}}}]}`))
	assert.True(t, slices.ContainsFunc(issued, func(one warning) bool { return one.Path == "Policy.All[1].IssuedBy.Certificates" }), issued)
}

// finding N97: a list in a file that was missing, unreadable or late went unnoticed, although without it every caller
// of the CA is refused.
func TestCheck_WarnsOfListsThatAreOfNoUse(t *testing.T) {
	w := newWorld(t)
	document := func(lists string) string {
		return w.write("policy.json", `{
  "source": {"appService": {}},
  "policy": {"all": [`+chain+`, {"notRevoked": {"checker": "own"}}]},
  "revocation": {"own": {"sources": "crlOnly", "ignoreCertificateURLs": true, "issuers": {"pemFile": "issuing.pem"},
    "lists": [`+lists+`]}}
}`)
	}
	server := certauthtest.NewCRLServer(t, w.issuing)
	list := func() string {
		der, err := server.CRL()
		require.NoError(t, err)
		return string(der)
	}
	w.write("good.crl", list())
	server.SetValidity(48*time.Hour, -time.Hour)
	w.write("late.crl", list())
	w.write("page.crl", "<html>")
	for lists, want := range map[string]string{
		`{"file": "none.crl"}`:                        "no such file",
		`{"file": "page.crl"}`:                        "malformed",
		`{"file": "late.crl"}`:                        "expired at its nextUpdate",
		`{"dir": "none"}`:                             "no such file",
		`{"file": "good.crl"}, {"file": "page.crl"}`:  "page.crl",
		`{"file": "good.crl"}`:                        "",
		`{"url": "http://crl.partner.example/a.crl"}`: "", // nothing is fetched
	} {
		found := slices.DeleteFunc(warningsOf(t, document(lists)), func(one warning) bool { return one.Path != "Revocation.own.Lists" })
		if want == "" {
			assert.Empty(t, found, lists)
			continue
		}
		require.Len(t, found, 1, lists)
		assert.Contains(t, found[0].Text, want, lists)
		assert.NotContains(t, found[0].Text, "\n", lists)
		assert.Equal(t, 4, found[0].Line, lists)
	}
}

// finding N96: a case at "now" whose certificate ended kept the service from starting, and nothing had warned of it.
func TestCheck_WarnsOfCasesThatWillFail(t *testing.T) {
	w := newWorld(t)
	ends := func(name string, days int) *certauthtest.Certificate {
		leaf := w.issuing.Issue(t, "orders", certauthtest.Valid(time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, days)))
		w.write(name, string(leaf.PEM()))
		return leaf
	}
	soon := ends("soon.pem", 5)
	ends("late.pem", 200)
	ends("gone.pem", -5)
	cases := []string{
		`{"name": "soon", "at": "now", "certificate": {"pemFile": "soon.pem"}, "expect": "accepted"}`,
		`{"name": "in a header", "at": "now", "headers": ["X-ARR-ClientCert: ` + soon.Base64() + `"], "expect": "accepted"}`,
		`{"name": "at a moment", "at": "` + time.Now().UTC().Format(time.RFC3339) + `", "certificate": {"pemFile": "soon.pem"}, "expect": "accepted"}`,
		`{"name": "late", "at": "now", "certificate": {"pemFile": "late.pem"}, "expect": "accepted"}`,
		`{"name": "gone", "at": "now", "certificate": {"pemFile": "gone.pem"}, "expect": "certificate_expired"}`,
		`{"name": "fails today", "at": "now", "certificate": {"pemFile": "gone.pem"}, "expect": "accepted"}`,
	}
	document := w.write("policy.json", `{
  "source": {"appService": {}},
  "policy": `+chain+`,
  "cases": [
    `+strings.Join(cases, ",\n    ")+`
  ]
}`)
	found := warningsOf(t, document)
	require.Len(t, found, 2, found)
	for i, want := range []string{"soon", "in a header"} {
		assert.Equal(t, fmt.Sprintf("Cases[%d]", i), found[i].Path)
		assert.Equal(t, 5+i, found[i].Line)
		assert.Contains(t, found[i].Text, strconv.Quote(want))
		assert.Contains(t, found[i].Text, "certificate_expired")
	}
	assert.Equal(t, 1, strings.Count(certauthRun(t, "", "check", document).out, `case "fails today"`))
}

// finding N129: a serial number in decimal, as Go prints it, is another number in hex, so that the certificate was not blocked.
func TestCheck_WarnsOfASerialThatReadsAsDecimal(t *testing.T) {
	w := newWorld(t)
	for serial, want := range map[string]bool{
		"329465870123456789012345678901234567890123456789": true,
		"32:94:65:87:01:23:45:67":                          true,
		"3294658701234567a":                                false,
		"10000":                                            false, // of a CA that counts
	} {
		found := warningsOf(t, w.policy(`{"all": [`+chain+`, {"denied": {"serials": [{"issuer": "CN=Partner Issuing CA", "serial": "`+serial+`"}]}}]}`))
		at := slices.IndexFunc(found, func(one warning) bool { return one.Path == "Policy.All[1].Denied.Serials[0]" })
		require.Equal(t, want, at >= 0, serial)
		if want {
			assert.Contains(t, found[at].Text, "is read as hex, and blocks nobody if it is decimal")
		}
	}
}

// finding N124: a case in which the caller sends its issuing CA along passed, although App Service forwards the leaf alone, so
// that each such caller is refused.
func TestCheck_WarnsOfCasesThatNeedWhatTheFrontEndDoesNotForward(t *testing.T) {
	w := newWorld(t)
	leaf := w.issuing.Issue(t, "orders")
	w.write("sent.pem", string(leaf.PEM())+string(w.issuing.PEM()))
	const anchored, gate = `{"chain": {"roots": {"pemFile": "root.pem"}}}`, `"from": {"peers": ["10.1.2.3"]}`
	for _, tc := range []struct {
		source, policy string
		want           bool
	}{
		{`{"appService": {}}`, anchored, true},
		{`{"nginx": {` + gate + `}}`, anchored, true},
		{`{"rfc9440": {` + gate + `}}`, anchored, true},
		{`{"haproxy": {` + gate + `}}`, anchored, true},
		{`{"apache": {` + gate + `}}`, anchored, true},
		{`{"haproxy": {` + gate + `, "chainHeader": "X-SSL-Chain-Der"}}`, anchored, false},
		{`{"appService": {}}`, chain, false},
		{`{"rfc9440": {` + gate + `, "chain": true}}`, anchored, false},
		{`{"envoy": {` + gate + `}}`, anchored, false},
		{`{"tls": {}}`, anchored, false},
	} {
		document := w.write("policy.json", `{"source": `+tc.source+`, "policy": `+tc.policy+`, "cases": [
  {"name": "partner", "at": "now", "certificate": {"pemFile": "sent.pem"}, "expect": "accepted"},
  {"name": "nobody", "at": "now", "expect": "certificate_missing"}
]}`)
		found := warningsOf(t, document)
		if !tc.want {
			assert.Empty(t, found, tc)
			continue
		}
		require.Len(t, found, 1, tc)
		assert.Equal(t, "Cases[0]", found[0].Path)
		assert.Equal(t, 2, found[0].Line)
		assert.Contains(t, found[0].Text, `the front end forwards the client's alone: expected accepted, got chain_untrusted`)
		assert.Contains(t, found[0].Text, "Chain.Intermediates")
	}
}

// finding N54: the warning about a whole document had an empty path: "warning policy.json:1: : no cases".
func TestCheck_AWarningAboutTheWholeDocumentHasNoPath(t *testing.T) {
	w := newWorld(t)
	assert.Contains(t, certauthRun(t, "", "check", w.policy(chain)).out, "warning policy.json:1: no cases: ")
}

// finding N35: a revocation check that no rule asks refuses nobody, whatever its settings, and nothing said so.
func TestCheck_WarnsOfARevocationCheckThatNoRuleAsks(t *testing.T) {
	w := newWorld(t)
	const check = `{"notRevoked": {"checker": "strict"}}`
	isUnasked := func(one warning) bool {
		return one.Path == "Revocation.strict" && strings.HasPrefix(one.Text, "no rule asks it")
	}
	for policy, want := range map[string]bool{
		chain: true,
		`{"all": [` + chain + `, ` + check + `]}`: false,
		`{"any": [` + chain + `, {"named": {"name": "a", "policy": {"all": [` + chain + `, ` + check + `]}}}]}`: false,
	} {
		assert.Equal(t, want, slices.ContainsFunc(warningsOf(t, w.policy(policy)), isUnasked), policy)
	}
	sender := `{"nginx": {"from": {"proxyCertificate": {"policy": {"all": [` + chain + `, {"dnsNames": ["front.example"]}, ` + check + `]}}}}}`
	assert.False(t, slices.ContainsFunc(warningsOf(t, w.policy(chain, sender)), isUnasked), "asked about the sender")
	assert.Equal(t, exitOK, certauthRun(t, "", "check", w.policy(chain, `{"tls": {}}`)).code, "a source without a gate")
}

// finding P32: a member of "any" with further rules means nothing beside one without them, and nothing said so.
func TestCheck_WarnsOfAMemberThatKeepsNobodyOut(t *testing.T) {
	w := newWorld(t)
	const other, name, role = `{"chain": {"roots": {"pemFile": "issuing.pem"}}}`, `{"dnsNames": ["a.example"]}`, `{"named": {"name": "admin", "policy": {"dnsNames": ["a.example"]}}}`
	for policy, want := range map[string][]string{
		`{"any": [` + chain + `, {"all": [` + chain + `, ` + name + `]}]}`:                                                    {"Policy.Any[1]"},
		`{"any": [{"all": [` + chain + `, ` + name + `]}, ` + other + `, {"named": {"name": "b", "policy": ` + chain + `}}]}`: {"Policy.Any[0]"},
		`{"any": [` + other + `, {"all": [` + chain + `, ` + name + `]}]}`:                                                    nil,
		`{"any": [` + chain + `, {"all": [` + chain + `, ` + role + `]}]}`:                                                    nil,
		`{"any": [` + chain + `, {"named": {"name": "admin", "policy": {"all": [` + chain + `, ` + name + `]}}}]}`:            nil,
	} {
		var found []string
		for _, one := range warningsOf(t, w.policy(policy)) {
			if strings.HasPrefix(one.Text, "its rules keep nobody out") {
				found = append(found, one.Path)
			}
		}
		assert.Equal(t, want, found, policy)
	}
}

// finding N55: a name that reads as a pattern, or with the name of its attribute, is compared as it stands, so that
// under a not it keeps nobody out, and nothing said so.
func TestCheck_WarnsOfNamesThatReadAsPatterns(t *testing.T) {
	w := newWorld(t)
	for rule, want := range map[string]string{
		`{"emails": ["*@partner.example"]}`:               `Policy.All[1].Not.Emails: "*@partner.example" is compared as it stands: only dnsNames has wildcards`,
		`{"uris": ["https://partner.example/*"]}`:         `Policy.All[1].Not.URIs: "https://partner.example/*" is compared`,
		`{"upns": ["*@partner.example"]}`:                 `Policy.All[1].Not.UPNs: "*@partner.example" is compared`,
		`{"organizations": ["Partner*"]}`:                 `Policy.All[1].Not.Organizations: "Partner*" is compared`,
		`{"organizations": ["o=Partner"]}`:                `Policy.All[1].Not.Organizations: "o=Partner" is compared as it stands: write the value without O=`,
		`{"commonNames": ["CN=orders", "billing"]}`:       `Policy.All[1].Not.CommonNames: "CN=orders" is compared as it stands: write the value without CN=`,
		`{"organizationalUnits": ["OU=Sales", "Sales*"]}`: `Policy.All[1].Not.OrganizationalUnits: "OU=Sales" is compared`,
	} {
		got := certauthRun(t, "", "check", "-strict", w.policy(`{"all": [`+chain+`, {"not": {"policy": `+rule+`}}]}`))
		assert.Equal(t, exitNo, got.code, rule)
		assert.Contains(t, got.out, "warning policy.json:3: "+want, rule)
	}
	plain := certauthRun(t, "", "check", w.policy(`{"all": [`+chain+`, {"dnsNames": ["*.eu.partner.example"]}, {"commonNames": ["o", "CN", "orders"]}, {"emails": ["orders@partner.example"]}]}`))
	assert.NotContains(t, plain.out, "compared as it stands")
}

// finding N59: of a wide network within everyGate the warning said that whoever has an address in it can be any client,
// although another gate must admit the sender too.
func TestCheck_DoesNotWarnOfAGateThatAnotherGateNarrows(t *testing.T) {
	t.Setenv("GATE_SECRET", "a secret of thirty-two bytes or more")
	w := newWorld(t)
	const wide, secret = `{"peers": ["10.0.0.0/8"]}`, `{"sharedSecret": {"header": "X-Gate", "values": [{"env": "GATE_SECRET"}]}}`
	for gate, want := range map[string]bool{
		`{"everyGate": [` + wide + `, ` + secret + `]}`:                                           false,
		`{"everyGate": [{"insecureRemoteAddr": ["10.1.2.3"]}, {"peers": ["10.1.2.3"]}]}`:          false,
		`{"anyGate": [` + wide + `, ` + secret + `]}`:                                             true,
		`{"everyGate": [` + wide + `, {"peers": ["11.0.0.0/8"]}]}`:                                true,
		`{"everyGate": [` + wide + `, {"anyGate": [` + secret + `, {"peers": ["11.0.0.0/8"]}]}]}`: true,
		`{"anyGate": [{"everyGate": [` + wide + `, ` + secret + `]}, {"peers": ["10.1.2.3"]}]}`:   false,
	} {
		found := warningsOf(t, w.policy(chain, `{"nginx": {"from": `+gate+`}}`))
		assert.Equal(t, want, slices.ContainsFunc(found, func(one warning) bool { return one.Path == "Source.From" }), gate)
	}
}

// finding O74: the exit status was 2, as if the document could not be opened, and no other case was shown.
func TestCheck_ACaseWhoseFileIsMissingFails(t *testing.T) {
	w := newWorld(t)
	policy := func(name, file string) string {
		return w.write(name, `{"source": {"appService": {}}, "policy": {"chain": {"roots": {"pemFile": "`+w.path("root.pem")+`"}}}, "cases": [{"name": "x", "certificate": {"pemFile": "`+file+`"}, "at": "now", "expect": "certificate_missing"}]}`)
	}
	w.write("root.pem", string(w.root.PEM()))
	gone, there := policy("gone.json", "gone.pem"), policy("there.json", w.path("root.pem"))
	got := certauthRun(t, "", "check", gone)
	assert.Equal(t, exitNo, got.code)
	assert.Contains(t, got.out, `case "x": file "`)
	got = certauthRun(t, "", "diff", gone, there)
	assert.Equal(t, exitFailed, got.code, "what a case without its certificate would say is not known")
	assert.Contains(t, got.errs, `case "x": file "`)
}

// finding O75: a service logs these at start, and the command said nothing.
func TestCheck_WarnsOfCACertificatesThatHaveNoEffect(t *testing.T) {
	w := newWorld(t)
	day := 24 * time.Hour
	other := certauthtest.NewCA(t, "Other Root")
	ended := certauthtest.NewCA(t, "Ended Root", certauthtest.Valid(time.Now().Add(-2*day), time.Now().Add(-day)))
	w.write("root.pem", string(w.root.PEM()))
	w.write("other.pem", string(other.PEM()))
	w.write("ended.pem", string(ended.PEM()))
	for _, tc := range []struct{ roots, intermediates, path, want string }{
		{"root.pem", "other.pem", "Policy.Chain.Intermediates", "chains to none of the roots, so that it has no effect: is its root missing, is it a root itself"},
		{"ended.pem", "ended.pem", "Policy.Chain.Roots", "no root is valid now: every caller of this chain is refused"},
		{"root.pem", "root.pem", "", ""},
	} {
		got := certauthRun(t, "", "check", w.write("policy.json", `{"source": {"appService": {}}, "policy": {"chain": {"roots": {"pemFile": "`+tc.roots+`"}, "intermediates": {"pemFile": "`+tc.intermediates+`"}}}}`))
		assert.Equal(t, exitOK, got.code, got.errs)
		if tc.want == "" {
			assert.NotContains(t, got.out, "Policy.Chain")
			continue
		}
		assert.Contains(t, got.out, tc.path+": ")
		assert.Contains(t, got.out, tc.want)
	}
}

// finding N166: it printed of App Service that the source refuses every certificate, which is true of the machine on
// which the document is reviewed.
func TestCheck_PrintsTheSourceAsOnAppService(t *testing.T) {
	t.Setenv("WEBSITE_SITE_NAME", "")
	w := newWorld(t)
	for source, want := range map[string]string{
		`{"appService": {}}`: "source: forwarded.AppService\n",
		`{"appService": {"from": {"peers": ["10.0.0.0/24"]}}}`: "source: forwarded.AppService (from ",
	} {
		got := certauthRun(t, "", "check", w.policy(chain, source))
		assert.Equal(t, exitOK, got.code, got.out+got.errs)
		assert.Contains(t, got.out, want)
		assert.NotContains(t, got.out, "refuses every certificate")
	}
}
