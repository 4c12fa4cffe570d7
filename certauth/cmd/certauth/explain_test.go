package main

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
)

const nginx = `{"nginx": {"from": {"peers": ["10.0.0.0/24"]}}}`

// everyReason has a row for each reason for which a document can refuse a request: policy, input,
// and the rule and the word of the next step that the answer must contain.
func everyReason(w *world) []struct {
	reason, policy string
	args           []string
	rule, next     string
} {
	t := w.t
	day := 24 * time.Hour
	client := w.issuing.Issue(t, "orders", certauthtest.DNS("orders.partner.example"))
	text := client.Base64()
	names := func(rules ...string) string { return `{"all": [` + chain + `, ` + strings.Join(rules, ", ") + `]}` }
	value := func(c *certauthtest.Certificate) []string { return []string{c.Base64()} }
	requests := 0
	request := func(lines ...string) []string {
		requests++
		return []string{"-request", w.write(fmt.Sprintf("request-%d.txt", requests), "GET / HTTP/1.1\r\nHost: app\r\n"+strings.Join(lines, "\r\n")+"\r\n\r\n")}
	}
	return []struct {
		reason, policy string
		args           []string
		rule, next     string
	}{
		{"certificate_missing", w.named("missing", chain), request("X-ARR-LOG-ID: 1"), "Source.AppService", ""},
		{"certificate_malformed", w.named("malformed", chain), []string{strings.TrimRight(text, "=") + "!"}, "Source.AppService", "base64"},
		{"source_untrusted", w.named("untrusted", chain), request("X-ARR-ClientCert: " + text), "Source.AppService", ""},
		{"front_end_unverified", w.named("unverified", chain, nginx), request("X-Client-Cert: "+url.PathEscape(string(client.PEM())), "X-Client-Verify: FAILED:self-signed"), "Source.Nginx", ""},
		{"chain_untrusted", w.named("chain", chain), value(certauthtest.NewCA(t, "Stranger").Issue(t, "x")), "Policy.Chain", "issuing CA"},
		{"pin_mismatch", w.named("pin", `{"thumbprints": ["`+strings.Repeat("ab", 32)+`"]}`), value(client), "Policy.Thumbprints", ""},
		{"certificate_expired", w.named("expired", chain), value(w.issuing.Issue(t, "x", certauthtest.Valid(time.Now().Add(-2*day), time.Now().Add(-day)))), "Policy.Chain", "must renew"},
		{"certificate_not_yet_valid", w.named("early", chain), value(w.issuing.Issue(t, "x", certauthtest.Valid(time.Now().Add(day), time.Now().Add(2*day)))), "Policy.Chain", "clock"},
		{"certificate_is_ca", w.named("ca", chain), []string{string(w.issuing.PEM())}, "Policy.Chain", ""},
		{"usage_not_allowed", w.named("usage", chain), value(w.issuing.Issue(t, "x", certauthtest.Usage(x509.ExtKeyUsageServerAuth))), "Policy.Chain", ""},
		{"certificate_revoked", w.named("revoked", names(`{"notRevoked": {"checker": "strict"}}`)), []string{"-revocation", "revoked", text}, "Policy.All[1].NotRevoked", "partner"},
		{"revocation_unknown", w.named("unknown", names(`{"notRevoked": {"checker": "strict"}}`)), []string{"-revocation", "unknown", text}, "Policy.All[1].NotRevoked", ""},
		{"revocation_unavailable", w.named("unavailable", names(`{"notRevoked": {"checker": "strict"}}`)), []string{"-revocation", "ask", text}, "Policy.All[1].NotRevoked", ""},
		{"issuer_not_allowed", w.named("issuer", names(`{"issuerName": ["CN=Other"]}`)), value(client), "Policy.All[1].IssuerName", ""},
		{"name_not_allowed", w.named("name", names(`{"dnsNames": ["billing.partner.example"]}`)), value(client), "Policy.All[1].DNSNames", ""},
		{"extension_not_allowed", w.named("extension", names(`{"extension": {"oid": "1.2.3.4", "present": true}}`)), value(client), "Policy.All[1].Extension", ""},
		{"key_not_allowed", w.named("key", names(`{"keys": {"algorithms": ["RSA"]}}`)), value(client), "Policy.All[1].Keys", ""},
		{"lifetime_not_allowed", w.named("lifetime", names(`{"validity": {"maxLifetime": "1d"}}`)), value(client), "Policy.All[1].Validity", ""},
		{"certificate_denied", w.named("denied", names(fmt.Sprintf(`{"denied": {"serials": [{"issuer": %q, "serial": "%x"}]}}`, nameOf(client.RawIssuer), client.SerialNumber.Bytes()))), value(client), "Policy.All[1].Denied.Serials", ""},
		{"policy_refused", w.named("not", names(`{"not": {"policy": {"dnsNames": ["orders.partner.example"]}}}`)), value(client), "Policy.All[1].Not", ""},
	}
}

// named writes a document with its own name.
func (w *world) named(name, policy string, source ...string) string {
	own := `{"appService": {}}`
	if len(source) > 0 {
		own = source[0]
	}
	return w.write(name+".json", `{"source": `+own+`, "policy": `+policy+`, "revocation": {"strict": {}}}`)
}

func TestExplain_NamesRuleAndNextStepForEveryReason(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{}
	for _, tc := range everyReason(w) {
		seen[tc.reason] = true
		t.Run(tc.reason, func(t *testing.T) {
			got := certauthRun(t, "", append([]string{"explain", "-json", "-policy", tc.policy}, tc.args...)...)
			require.Equal(t, exitNo, got.code, got.errs)
			var answer explanation
			require.NoError(t, json.Unmarshal([]byte(got.out), &answer))
			assert.Equal(t, "refused", answer.Decision)
			assert.Equal(t, tc.reason, answer.Reason)
			assert.Equal(t, tc.rule, answer.Rule)
			assert.NotEmpty(t, answer.Next)
			assert.Contains(t, answer.Next, tc.next)
			assert.Regexp(t, `\.json:\d+:\d+$`, answer.Where)
			plain := certauthRun(t, "", append([]string{"explain", "-policy", tc.policy}, tc.args...)...)
			assert.Contains(t, plain.out, "refused: "+tc.reason)
			assert.Contains(t, plain.out, tc.rule)
			assert.NotContains(t, plain.out, "\x1b", "no colours outside of a terminal")
			if strings.HasPrefix(tc.rule, "Policy") {
				decided := 0
				var walk func(v *verdict)
				walk = func(v *verdict) {
					if v.Decides {
						decided++
						assert.Equal(t, verdictRefuses, v.Verdict, v.Rule)
						assert.Equal(t, tc.reason, v.Reason, v.Rule)
					}
					for _, child := range v.Children {
						walk(child)
					}
				}
				walk(answer.Tree)
				assert.Equal(t, 1, decided, got.out)
			}
		})
	}
	// These occur only in records: TestExplain_NamesRuleAndNextStepForReasonsThatOnlyRecordsHave.
	for _, reason := range []certauth.Reason{certauth.ReasonNotConfigured, certauth.ReasonOverloaded, certauth.ReasonRequestCanceled, certauth.ReasonInternalError} {
		seen[string(reason)] = true
	}
	var schema struct {
		Defs map[string]struct {
			Properties map[string]struct{ Enum []string }
		} `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(policyfile.Schema(), &schema))
	known := schema.Defs["policyfile-Case"].Properties["expect"].Enum
	require.NotEmpty(t, known)
	for _, word := range known {
		assert.True(t, seen[word] || word == "accepted" || word == "anonymous" || word == "excluded", "no row for %s", word)
	}
}

// From a refused partner's header value and the policy file, one command shows the cause and the
// remedy.
func TestExplain_TenCasesOfAStranger(t *testing.T) {
	w := newWorld(t)
	policy := w.named("policy", `{"any": [
		{"named": {"name": "a", "policy": {"all": [`+chain+`, {"dnsNames": ["orders.partner.example"]}, {"validity": {"maxLifetime": "400d"}}]}}},
		{"named": {"name": "b", "policy": {"publicKeys": ["`+strings.Repeat("cd", 32)+`"]}}}]}`)
	other := w.root.NewIntermediate(t, "Partner Issuing CA 2")
	named := certauthtest.DNS("orders.partner.example")
	good := w.issuing.Issue(t, "orders", named)
	for range 1000 { // a certificate contains about ten plus signs on average
		if strings.Contains(strings.TrimRight(good.Base64(), "+"), "+") {
			break
		}
		good = w.issuing.Issue(t, "orders", named)
	}
	require.Contains(t, good.Base64(), "+")
	for _, tc := range []struct {
		name, value string
		want        []string
	}{
		{"another issuing CA of the partner", other.Issue(t, "x", named).Base64(), []string{"chain_untrusted", "Partner Issuing CA 2", "add the issuing CA"}},
		{"another name", w.issuing.Issue(t, "x", certauthtest.DNS("orders-2.partner.example")).Base64(), []string{"name_not_allowed", "orders-2.partner.example", "line 2"}},
		{"expired", w.issuing.Issue(t, "x", named, certauthtest.Valid(time.Now().Add(-48*time.Hour), time.Now().Add(-time.Hour))).Base64(), []string{"certificate_expired", "must renew"}},
		{"for servers only", w.issuing.Issue(t, "x", named, certauthtest.Usage(x509.ExtKeyUsageServerAuth)).Base64(), []string{"usage_not_allowed"}},
		{"valid for too long", w.issuing.Issue(t, "x", named, certauthtest.Valid(time.Now().Add(-time.Hour), time.Now().Add(900*24*time.Hour))).Base64(), []string{"lifetime_not_allowed"}},
		{"self-signed", certauthtest.SelfSigned(t, "x", named).Base64(), []string{"chain_untrusted"}},
		{"PEM in the header", strings.ReplaceAll(strings.TrimSpace(string(good.PEM())), "\n", " "), []string{"certificate_malformed", "Source.AppService"}},
		{"percent-encoded PEM in the header", url.PathEscape(string(good.PEM())), []string{"certificate_malformed", "Source.AppService"}},
		{"cut", good.Base64()[:200], []string{"certificate_malformed", "Source.AppService"}},
		{"a plus that became a space", strings.ReplaceAll(good.Base64(), "+", " "), []string{"certificate_malformed", "X-ARR-ClientCert"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := certauthRun(t, "", "explain", "-policy", policy, tc.value)
			require.Equal(t, exitNo, got.code, got.errs+got.out)
			for _, want := range tc.want {
				assert.Contains(t, got.out, want)
			}
			assert.Regexp(t, `(?m)^  next +\S`, got.out)
		})
	}
	got := certauthRun(t, "", "explain", "-policy", policy, good.Base64())
	assert.Equal(t, exitOK, got.code)
	assert.Contains(t, got.out, "accepted\n  roles    a\n")
}

// One answer shows everything that is wrong.
func TestExplain_AsksEachRuleByItself(t *testing.T) {
	w := newWorld(t)
	policy := w.named("policy", `{"all": [`+chain+`, {"dnsNames": ["a.example"]}, {"organizations": ["certauthtest"]}, {"notRevoked": {"checker": "strict"}}, {"not": {"policy": {"commonNames": ["x"]}}}]}`)
	old := w.issuing.Issue(t, "x", certauthtest.DNS("b.example"), certauthtest.Valid(time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)))
	got := certauthRun(t, "", "explain", "-json", "-revocation", "revoked", "-policy", policy, old.Base64())
	var answer explanation
	require.NoError(t, json.Unmarshal([]byte(got.out), &answer))
	verdicts := map[string]string{}
	var walk func(v *verdict)
	walk = func(v *verdict) {
		verdicts[v.Rule] = v.Verdict + " " + v.Reason
		for _, child := range v.Children {
			walk(child)
		}
	}
	walk(answer.Tree)
	assert.Equal(t, map[string]string{
		"Policy": "refuses ", "Always on": "refuses certificate_expired", "Policy.All": "refuses ",
		"Policy.All[0].Chain":           "refuses certificate_expired",
		"Policy.All[1].DNSNames":        "refuses name_not_allowed",
		"Policy.All[2].Organizations":   "accepts ",
		"Policy.All[3].NotRevoked":      "not judged ",
		"Policy.All[4].Not":             "refuses policy_refused",
		"Policy.All[4].Not.CommonNames": "accepts ",
	}, verdicts)
	at := old.NotBefore.Add(time.Hour).UTC().Format(time.RFC3339)
	got = certauthRun(t, "", "explain", "-at", at, "-revocation", "revoked", "-policy", policy, old.Base64())
	assert.Contains(t, got.out, "certificate_revoked", "in time, the revocation is seen as well")
}

// A check with SoftFail accepts what it accepts in operation, and the tree names the check.
func TestExplain_AssumesWhatASoftCheckFindsNotWhatItDecides(t *testing.T) {
	w := newWorld(t)
	policy := w.write("soft.json", `{"source": {"appService": {}}, "policy": {"all": [`+chain+`, {"notRevoked": {"checker": "soft"}}]}, "revocation": {"hard": {}, "soft": {"mode": "softFail"}}}`)
	value := w.issuing.Issue(t, "x").Base64()
	got := certauthRun(t, "", "explain", "-revocation", "unavailable", "-policy", policy, value)
	assert.Equal(t, exitOK, got.code, got.errs+got.out)
	assert.Contains(t, got.out, `"notRevoked":{"checker":"soft"}`)
	assert.NotContains(t, got.out, "NO ")
	got = certauthRun(t, "", "explain", "-revocation", "revoked", "-policy", policy, value)
	assert.Contains(t, got.out, "refused: certificate_revoked")
}

// The decision is that of the service for the same document and the same request.
func TestExplain_DecidesAsTheServiceDoes(t *testing.T) {
	w := newWorld(t)
	for _, frontEnd := range []struct{ name, source string }{
		{"Nginx", nginx},
		{"Envoy", `{"envoy": {"from": {"unixSocket": {}}}}`},
		{"HAProxy", `{"haproxy": {"from": {"insecureAnyPeer": {}}}}`},
		{"Traefik", `{"traefik": {"from": {"insecureAnyPeer": {}}}}`},
		{"RFC9440", `{"rfc9440": {"from": {"insecureAnyPeer": {}}}}`},
		{"Cloudflare", `{"cloudflare": {"from": {"insecureAnyPeer": {}}}}`},
		{"Apache", `{"apache": {"from": {"insecureAnyPeer": {}}}}`},
	} {
		t.Run(frontEnd.name, func(t *testing.T) {
			client := w.issuing.Issue(t, "orders", certauthtest.DNS("orders.partner.example"))
			r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
			certauthtest.FrontEnd{Name: frontEnd.name}.Forward(t, r, client)
			args := []string{"explain", "-policy", w.named("policy-"+frontEnd.name, `{"named": {"name": "in", "policy": `+chain+`}}`, frontEnd.source)}
			for name, values := range r.Header {
				for _, value := range values {
					args = append(args, "-header", name+": "+value)
				}
			}
			got := certauthRun(t, "", args...)
			assert.Equal(t, exitOK, got.code, got.errs+got.out)
			assert.Contains(t, got.out, "roles    in")
			assert.NotContains(t, got.out, verdictUnknown)
			// The same with the certificate alone, for which the request is made.
			got = certauthRun(t, "", args[0], args[1], args[2], w.write("client.pem", string(client.PEM())))
			assert.Equal(t, exitOK, got.code, got.errs+got.out)
		})
	}
}

// finding T30: with "rfc9440" the certificate was put into Cloudflare's other header, which the
// source does not read, and with several hops Envoy's header had one element.
func TestExplain_TakesACertificateInEveryForm(t *testing.T) {
	w := newWorld(t)
	client := w.write("client.pem", string(w.issuing.Issue(t, "orders", certauthtest.DNS("orders.partner.example")).PEM()))
	for name, source := range map[string]string{
		"Cloudflare": `{"cloudflare": {"from": {"insecureAnyPeer": {}}, "rfc9440": true}}`,
		"HAProxy":    `{"haproxy": {"from": {"insecureAnyPeer": {}}, "format": "byteSequence"}}`,
		"Caddy":      `{"caddy": {"from": {"insecureAnyPeer": {}}, "format": "byteSequence"}}`,
		"RFC 9440":   `{"rfc9440": {"from": {"insecureAnyPeer": {}}, "chain": true}}`,
		"ALB":        `{"alb": {"from": {"insecureAnyPeer": {}}, "passthrough": true}}`,
		"Envoy":      `{"envoy": {"from": {"insecureAnyPeer": {}}, "hops": 2, "by": ["spiffe://gateway"]}}`,
		"Kong":       `{"kong": {"from": {"insecureAnyPeer": {}}, "fingerprintHeader": "X-Sum"}}`,
		"CloudFront": `{"cloudFront": {"from": {"insecureAnyPeer": {}}}}`,
		"FrontDoor":  `{"frontDoor": {"from": {"insecureAnyPeer": {}}, "profileID": "11111111-2222-3333-4444-555555555555", "format": "base64DER"}}`,
		"a gate":     `{"nginx": {"from": {"peers": ["10.0.0.0/24"]}}}`,
		"APIM":       `{"apiManagement": {"from": {"appServiceCertificate": {"policy": {"thumbprints": ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]}}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			got := certauthRun(t, "", "explain", "-policy", w.named("policy-"+name, `{"named": {"name": "in", "policy": `+chain+`}}`, source), client)
			assert.Equal(t, exitOK, got.code, got.errs+got.out)
		})
	}
}

func TestExplain_FindsTheRuleOfALogRecord(t *testing.T) {
	w := newWorld(t)
	policy := w.named("policy", `{"all": [`+chain+`, {"dnsNames": ["a.example"]}]}`)
	var log bytes.Buffer
	doc, err := policyfile.Load(policy, certauth.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, doc.Close()) })
	config, err := doc.WithoutGate(nil)
	require.NoError(t, err)
	config.Logger = slog.New(slog.NewJSONHandler(&log, nil))
	auth, err := certauth.New(config)
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	certauthtest.FrontEnd{Name: "AppService"}.Forward(t, r, w.issuing.Issue(t, "x", certauthtest.DNS("b.example")))
	auth.Handler(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
	got := certauthRun(t, log.String(), "explain", "-policy", policy, "-record", "-")
	assert.Equal(t, exitNo, got.code, got.errs)
	for _, want := range []string{"refused: name_not_allowed", "Policy.All[1].DNSNames", "CN=x", "b.example", "<- decides"} {
		assert.Contains(t, got.out, want)
	}
	got = certauthRun(t, `{"msg": "hello"}`, "explain", "-policy", policy, "-record", "-")
	assert.Equal(t, exitFailed, got.code)
	got = certauthRun(t, `{"reason": "name_not_allowed", "rule": "Policy.All[7].DNSNames"}`, "explain", "-policy", policy, "-record", "-")
	assert.Contains(t, got.out, "another version")
}

func TestExplain_ReadsAnExcludedRequest(t *testing.T) {
	w := newWorld(t)
	policy := w.write("policy.json", `{"source": {"appService": {}}, "policy": `+chain+`, "exclusions": [{"path": "/health", "reason": "r", "control": "c"}]}`)
	got := certauthRun(t, "GET /health HTTP/1.1\nHost: x\n\n", "explain", "-policy", policy, "-request", "-")
	assert.Equal(t, exitOK, got.code, got.errs)
	assert.Contains(t, got.out, "excluded")
	got = certauthRun(t, "what is this", "explain", "-policy", policy, "-request", "-")
	assert.Equal(t, exitFailed, got.code)
}

// For any bytes as the header's value there is an answer, and never an acceptance.
func FuzzExplain(f *testing.F) {
	f.Add("")
	f.Add("-----BEGIN CERTIFICATE-----")
	f.Add(`By=x;Cert="%2D"`)
	f.Add(":AAAA:")
	f.Add("MIIB")
	f.Fuzz(func(t *testing.T, value string) {
		if found, err := decodeForm([]byte(value), ""); err == nil {
			require.NotEmpty(t, found.certs)
			for _, cert := range found.certs {
				again, err := decodeForm(cert.Raw, "")
				require.NoError(t, err)
				require.Equal(t, cert.Raw, again.certs[0].Raw)
			}
		}
	})
}

// finding N80: of a rule that needs a chain, such as the deny list that the runbook puts behind the whole policy, the tree
// said that the document has a mistake, if the anchors stand in the branches of an "any" or in a role.
func TestExplain_JudgesRulesBehindAnchorsInBranches(t *testing.T) {
	w := newWorld(t)
	client := w.issuing.Issue(t, "orders")
	key := (&certauth.Identity{Leaf: client.Certificate}).PublicKeyHash()
	for name, anchored := range map[string]string{
		"any":        `{"any": [{"named": {"name": "a", "policy": ` + chain + `}}, {"thumbprints": ["` + strings.Repeat("ab", 32) + `"]}]}`,
		"named":      `{"named": {"name": "a", "policy": ` + chain + `}}`,
		"all":        `{"all": [` + chain + `]}`,
		"serverAuth": `{"acceptServerAuth": {"reason": "r", "policy": ` + chain + `}}`,
	} {
		for rule, want := range map[string]string{
			`{"denied": {"publicKeys": ["` + key + `"]}}`:                               verdictRefuses,
			`{"denied": {"publicKeys": ["` + strings.Repeat("ab", 32) + `"]}}`:          verdictAccepts,
			`{"not": {"policy": {"issuerName": ["CN=Another"]}}}`:                       verdictAccepts,
			`{"not": {"policy": {"issuerName": ["` + nameOf(client.RawIssuer) + `"]}}}`: verdictRefuses,
		} {
			if name == "any" && strings.Contains(rule, "issuerName") {
				continue // a pin has no issuer
			}
			got := certauthRun(t, "", "explain", "-json", "-policy", w.named("policy", `{"all": [`+anchored+`, `+rule+`]}`), client.Base64())
			var answer explanation
			require.NoError(t, json.Unmarshal([]byte(got.out), &answer), got.errs)
			judged := answer.Tree.Children[1].Children[1]
			assert.Equal(t, want, judged.Verdict, "%s, %s: %s", name, rule, judged.Detail)
			assert.Equal(t, want, answer.Tree.Verdict, "%s, %s", name, rule)
			assert.Equal(t, want == verdictRefuses, judged.Decides, "%s, %s", name, rule)
		}
	}
}
