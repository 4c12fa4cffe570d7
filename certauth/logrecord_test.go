package certauth_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// records is a log that tests read record by record.
type records struct{ out bytes.Buffer }

func (r *records) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(&r.out, &slog.HandlerOptions{Level: level}))
}

// take returns the records about requests since the last call.
func (r *records) take(t *testing.T) (list []map[string]any) {
	t.Helper()
	for line := range bytes.Lines(r.out.Bytes()) {
		var record map[string]any
		require.NoError(t, json.Unmarshal(line, &record))
		if record["msg"] != "certauth: configured" {
			list = append(list, record)
		}
	}
	r.out.Reset()
	return list
}

const traceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" // W3C Trace Context, section 3.2

// finding N2: the record of a refusal did not say which request or which partner it concerned. The
// record alone now tells which request, which certificate, which rule, and what to do.
func TestRecord_ARefusalAloneSaysWhatHappened(t *testing.T) {
	root := certauthtest.NewCA(t, "Partner Root")
	issuing := root.NewIntermediate(t, "Partner Issuing")
	chain := certauth.Chain{Roots: certsOf(root), Intermediates: certsOf(issuing)}
	leaf := issuing.Issue(t, "orders", certauthtest.DNS("orders.partner.example"))
	stranger := certauthtest.NewCA(t, "Stranger").Issue(t, "orders")
	yesterday := time.Now().Add(-24 * time.Hour)
	expired := issuing.Issue(t, "orders", certauthtest.Valid(yesterday.Add(-time.Hour), yesterday))
	ca := certauthtest.NewCA(t, "orders")
	revoked := func(depth int) certauth.Policy {
		return certauth.All{chain, certauth.NotRevoked{Checker: answer{certauth.Revocation{Status: certauth.RevocationRevoked, Source: "crl", Depth: depth}, nil}}}
	}
	const verified, unverified, unseen = "subject", "subject_unverified", ""
	name := func(c *x509.Certificate) string { return c.Subject.String() }

	for _, tc := range []struct {
		name      string
		offered   string
		source    certauth.Source
		policy    certauth.Policy
		route     certauth.Policy
		reason    certauth.Reason
		rule      string
		about     *x509.Certificate
		subjectIn string
	}{
		{"no certificate", "", nil, chain, nil, "certificate_missing", "Source.AppService", nil, unseen},
		{"no base64", "!", nil, chain, nil, "certificate_malformed", "Source.AppService", nil, unseen},
		{"a CA that nobody knows", stranger.Base64(), nil, chain, nil, "chain_untrusted", "Policy.Chain", stranger.Certificate, unverified},
		{"an expired certificate", expired.Base64(), nil, chain, nil, "certificate_expired", "Policy.Chain", expired.Certificate, unverified},
		{"a CA certificate", (&certauthtest.Certificate{Certificate: ca.Certificate}).Base64(), nil, chain, nil, "certificate_is_ca", "Policy.Chain", ca.Certificate, unverified},
		{"another pin, before it is parsed", leaf.Base64(), nil, certauth.Thumbprints{pinOfNobody}, nil, "pin_mismatch", "Policy.Thumbprints", leaf.Certificate, unverified},
		{"another pin, after a chain", leaf.Base64(), nil, certauth.All{chain, certauth.Thumbprints{pinOfNobody}}, nil, "pin_mismatch", "Policy.All[1].Thumbprints", leaf.Certificate, verified},
		{"a key pin and a function that refuses", leaf.Base64(), nil, certauth.All{certauth.PublicKeys{spkiPin(leaf.Certificate)}, refusing()}, nil, "policy_refused", "Policy.All[1].PolicyFunc(\"refusing\")", leaf.Certificate, unverified},
		{"another name", leaf.Base64(), nil, certauth.All{chain, certauth.DNSNames{"billing.partner.example"}}, nil, "name_not_allowed", "Policy.All[1].DNSNames", leaf.Certificate, verified},
		{"revoked", leaf.Base64(), nil, revoked(0), nil, "certificate_revoked", "Policy.All[1].NotRevoked", leaf.Certificate, verified},
		{"the issuing CA is revoked", leaf.Base64(), nil, revoked(1), nil, "certificate_revoked", "Policy.All[1].NotRevoked", leaf.Certificate, unverified},
		{"the issuing CA is denied", leaf.Base64(), nil, certauth.All{chain, certauth.Denied{PublicKeys: []string{spkiPin(issuing.Certificate)}}}, nil, "certificate_denied", "Policy.All[1].Denied.PublicKeys", leaf.Certificate, unverified},
		{"no evidence", leaf.Base64(), nil, certauth.All{chain, certauth.NotRevoked{Checker: answer{certauth.Revocation{}, errors.New("no way out")}}}, nil, "revocation_unavailable", "Policy.All[1].NotRevoked", leaf.Certificate, verified},
		{"a route that wants another name", leaf.Base64(), nil, chain, certauth.DNSNames{"billing.partner.example"}, "name_not_allowed", "Require.DNSNames", leaf.Certificate, verified},
		{"a front end that did not verify", url.PathEscape(string(stranger.PEM())), forwarded.Nginx{From: forwarded.InsecureAnyPeer()}, chain, nil, "front_end_unverified", "Source.Nginx", stranger.Certificate, unverified},
		{"another sender", leaf.Base64(), forwarded.AppService{InsecureOutsideAppService: true, From: forwarded.Peers("10.9.9.9")}, chain, nil, "source_untrusted", "Source.AppService", nil, unseen},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var log records
			var events []certauth.Event
			config := certauth.Config{
				Source: forwarded.AppService{InsecureOutsideAppService: true}, Policy: tc.policy, Logger: log.logger(slog.LevelInfo),
				Observe: func(_ context.Context, e certauth.Event) { events = append(events, e) },
			}
			if tc.source != nil {
				config.Source = tc.source
			}
			auth := must(t, config)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "https://api.example/orders/7%0A8?token=secret", http.NoBody)
			r = certauthtest.WithPeer(t, r, "tcp", "192.0.2.1:1234")
			r.Header.Set("Traceparent", traceParent)
			certauthtest.SetAppServiceHeaders(r.Header, r)
			r.Header.Del(certHeader)
			if tc.offered != "" {
				r.Header.Set(certHeader, tc.offered)
				r.Header.Set("X-Client-Cert", tc.offered)
				r.Header.Set("X-Client-Verify", "FAILED:self-signed certificate")
			}
			wrap := auth.Handler
			if tc.route != nil {
				wrap = func(next http.Handler) http.Handler { return auth.Handler(auth.Require(tc.route)(next)) }
			}
			require.Zero(t, through(t, wrap, r).ran)

			list := log.take(t)
			require.Len(t, list, 1)
			record := list[0]
			assert.Equal(t, "WARN", record["level"])
			assert.Equal(t, "PUT", record["method"])
			assert.Equal(t, "api.example", record["host"])
			assert.Equal(t, `/orders/7\n8`, record["path"], "decoded, without the query, on one line")
			assert.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", record["trace_id"])
			assert.Equal(t, "192.0.2.1", record["peer"])
			assert.Equal(t, string(tc.reason), record["reason"])
			assert.Equal(t, tc.rule, record["rule"])
			assert.NotEmpty(t, record["detail"])
			assert.NotEmpty(t, record["hint"])
			assert.NotContains(t, fmt.Sprint(record), "token")

			event := events[len(events)-1]
			assert.Equal(t, []string{"PUT", "api.example", `/orders/7\n8`, "4bf92f3577b34da6a3ce929d0e0e4736"}, []string{event.Method, event.Host, event.Path, event.TraceID})
			if tc.about == nil {
				assert.NotContains(t, record, "fingerprint")
				assert.Zero(t, event.Certificate)
				return
			}
			assert.Equal(t, thumbprint(tc.about), record["fingerprint"])
			assert.Equal(t, thumbprint(tc.about), event.Certificate.Fingerprint)
			assert.Equal(t, tc.subjectIn == verified, event.Certificate.Verified)
			assert.Equal(t, name(tc.about), record[tc.subjectIn])
			assert.Equal(t, name(tc.about), event.Certificate.Subject)
			for _, other := range []string{verified, unverified} {
				if other != tc.subjectIn {
					assert.NotContains(t, record, other)
				}
			}
		})
	}
}

func refusing() certauth.PolicyFunc {
	return certauth.PolicyFunc{Name: "refusing", Func: func(context.Context, *certauth.Identity) error { return errors.New("not today") }}
}

// finding N2: records of accepted callers had no subject and no roles. finding N5: it was recorded
// nowhere that a caller was accepted without evidence.
func TestRecord_AnAcceptedCallerHasNameRolesAndWaiver(t *testing.T) {
	w := newWorld(t)
	var log records
	var events []certauth.Event
	waived := certauth.Revocation{Status: certauth.RevocationWaived, Why: "soft fail: no responder\nanswers"}
	auth := must(t, certauth.Config{
		Source: fixedSource("s", w.leaf.Certificate), Logger: log.logger(slog.LevelDebug),
		Policy:  certauth.All{certauth.Named{Name: "orders", Policy: w.chain()}, certauth.NotRevoked{Checker: answer{waived, nil}}},
		Observe: func(_ context.Context, e certauth.Event) { events = append(events, e) },
	})
	for range 2 {
		through(t, auth.Handler, request())
		list := log.take(t)
		require.Len(t, list, 1)
		assert.Equal(t, "DEBUG", list[0]["level"])
		assert.Equal(t, w.leaf.Thumbprint(), list[0]["fingerprint"])
		assert.Equal(t, w.leaf.Subject.String(), list[0]["subject"])
		assert.Equal(t, []any{"orders"}, list[0]["roles"])
		assert.Equal(t, "waived", list[0]["revocation"])
		assert.Equal(t, `soft fail: no responder\nanswers`, list[0]["revocation_why"])
		assert.Equal(t, certauth.CertificateInfo{
			Fingerprint: w.leaf.Thumbprint(), Subject: w.leaf.Subject.String(), Verified: true, NotAfter: w.leaf.NotAfter,
		}, events[len(events)-1].Certificate)
	}
}

// W3C Trace Context, sections 3.2.2, 3.2.4 and 4.2: a value that is not valid in every character is
// not a trace.
func TestRecord_TraceIDIsReadByTheGrammar(t *testing.T) {
	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for _, tc := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"as in the standard", []string{traceParent}, trace},
		{"not sampled", []string{"00-" + trace + "-" + parent + "-00"}, trace},
		{"a later version", []string{"cc-" + trace + "-" + parent + "-01"}, trace},
		{"a later version that goes on", []string{"cc-" + trace + "-" + parent + "-01-what-else"}, trace},
		{"a later version that goes on without a dash", []string{"cc-" + trace + "-" + parent + "-01.what"}, ""},
		{"version 00 that goes on", []string{traceParent + "-what"}, ""},
		{"version ff", []string{"ff-" + trace + "-" + parent + "-01"}, ""},
		{"version in upper case", []string{"CC-" + trace + "-" + parent + "-01"}, ""},
		{"none", nil, ""},
		{"empty", []string{""}, ""},
		{"two headers", []string{traceParent, traceParent}, ""},
		{"a trace-id of zeros", []string{"00-00000000000000000000000000000000-" + parent + "-01"}, ""},
		{"a parent-id of zeros", []string{"00-" + trace + "-0000000000000000-01"}, ""},
		{"upper case", []string{strings.ToUpper(traceParent)}, ""},
		{"no hex", []string{strings.Replace(traceParent, "4b", "4g", 1)}, ""},
		{"flags are no hex", []string{traceParent[:53] + "0x"}, ""},
		{"too short", []string{traceParent[:54]}, ""},
		{"a space in front", []string{" " + traceParent}, ""},
		{"underscores", []string{strings.ReplaceAll(traceParent, "-", "_")}, ""},
		{"a mebibyte", []string{traceParent + strings.Repeat("0", 1<<20)}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got certauth.Event
			auth := must(t, certauth.Config{
				Source: fixedSource("s"), Policy: certauth.Thumbprints{pinOfNobody},
				Observe: func(_ context.Context, e certauth.Event) { got = e },
			})
			r := request()
			r.Header["Traceparent"] = tc.lines
			through(t, auth.Handler, r)
			assert.Equal(t, tc.want, got.TraceID)
		})
	}
}

// Any client text becomes one short line of ASCII, and no key or certificate is shown.
func TestRecord_TextsOfTheRequestAreQuotedAndCut(t *testing.T) {
	w := newWorld(t)
	for name, path := range map[string]string{
		"a mebibyte": strings.Repeat("/a", 1<<19), "line ends": "/a\r\nlevel=INFO", "not ASCII": "/\u202e\x1b[2J\xff",
		"a certificate": "/x/" + w.leaf.Base64(), "PEM": "/" + string(w.leaf.PEM()), "none": "",
	} {
		t.Run(name, func(t *testing.T) {
			var log records
			auth := must(t, certauth.Config{Source: fixedSource("s"), Policy: w.chain(), Logger: log.logger(slog.LevelInfo)})
			r := request()
			r.URL, r.Host, r.Method = &url.URL{Path: path}, path, path
			through(t, auth.Handler, r)
			r.URL = nil
			through(t, auth.Handler, r)
			for _, record := range log.take(t) {
				for _, key := range []string{"path", "host", "method"} {
					text, ok := record[key].(string)
					require.True(t, ok)
					assert.LessOrEqual(t, len(text), 4*256+3) // each byte may become \x1b
					assert.NotContains(t, text, w.leaf.Base64()[:40])
					for _, c := range []byte(text) {
						assert.True(t, c >= 0x20 && c <= 0x7E, "byte %#x", c)
					}
				}
			}
		})
	}
}

// A refusal without a listener costs no record: not even the time is read.
func TestRecord_WithoutListenersNothingIsPutTogether(t *testing.T) {
	for name, logger := range map[string]*slog.Logger{"no logger": nil, "a logger that is off": slog.New(slog.DiscardHandler)} {
		asked := 0
		auth := must(t, certauth.Config{
			Source: fixedSource("s"), Policy: certauth.Thumbprints{pinOfNobody}, Logger: logger,
			Now: func() time.Time { asked++; return time.Now() },
		})
		asked = 0
		require.Equal(t, http.StatusUnauthorized, through(t, auth.Handler, request()).status)
		assert.Zero(t, asked, name)
	}
}

// finding N14: %+v of an Error printed the certificate byte by byte.
func TestError_FormattedInAnyWayHasNoDER(t *testing.T) {
	w := newWorld(t)
	_, err := judge(t, certauth.Thumbprints{pinOfNobody}, w.leaf.Certificate)
	refused, ok := errors.AsType[*certauth.Error](err)
	require.True(t, ok)
	for _, format := range []string{"%v", "%+v", "%#v"} {
		assert.Less(t, len(fmt.Sprintf(format, *refused)), 600, format)
		assert.Less(t, len(fmt.Sprintf(format, refused)), 600, format)
	}
}

// finding N14: the record of a failed reload named its place three times.
func TestRecord_AFailedReloadNamesItsPlaceOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "roots.pem")
	require.NoError(t, os.WriteFile(file, certauthtest.NewCA(t, "Root").PEM(), 0o600))
	var log records
	auth := must(t, certauth.Config{Source: fixedSource("s"), Policy: certauth.Chain{Roots: certauth.PEMFile(file)}, Logger: log.logger(slog.LevelInfo)})
	require.NoError(t, os.WriteFile(file, []byte("nothing"), 0o600))
	err := auth.Reload(t.Context())
	require.ErrorContains(t, err, "Policy.Chain.Roots: file ")
	list := log.take(t)
	require.Len(t, list, 1)
	assert.Equal(t, "Policy.Chain.Roots", list[0]["rule"])
	assert.Equal(t, 1, strings.Count(fmt.Sprint(list[0]["detail"]), "Policy.Chain.Roots"))
}

// The attributes are those of "Log records" in the package's documentation, and each of them is
// meaningful.
func TestRecord_AttributesAreThoseOfTheDocumentation(t *testing.T) {
	w := newWorld(t)
	var log records
	ended := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	stale := certauth.Revocation{Status: certauth.RevocationGood, Stale: true, NextUpdate: ended}
	config := certauth.Config{
		Source: headerSource{w.leaf.Certificate}, Logger: log.logger(slog.LevelDebug), Policy: certauth.All{w.chain(), certauth.NotRevoked{Checker: answer{stale, nil}}},
		Exclusions: []certauth.Exclusion{public("GET", "/healthz")},
	}
	auth := must(t, config)
	r := request()
	r.Header.Set("X-Client-Cert", "yes")
	require.Equal(t, 1, through(t, auth.Handler, r).ran)
	list := log.take(t)
	require.Len(t, list, 1)
	for _, none := range []string{"roles", "route", "rule", "reason", "server_auth", "repeated", "revocation_why"} {
		assert.NotContains(t, list[0], none)
	}
	assert.Equal(t, "2026-01-02T02:04:05Z", list[0]["revocation_stale_since"], "in whole seconds of UTC")

	require.Equal(t, 1, through(t, auth.Handler, httptest.NewRequest(http.MethodGet, "/healthz", http.NoBody)).ran)
	list = log.take(t)
	require.Len(t, list, 1)
	assert.Equal(t, "certauth: excluded", list[0]["msg"])
	assert.Equal(t, "GET /healthz", list[0]["rule"])

	config.Policy = certauth.All{w.chain(), certauth.NotRevoked{Checker: answer{certauth.Revocation{Status: certauth.RevocationGood, NextUpdate: ended}, nil}}}
	auth = must(t, config)
	log.take(t)
	route := func(next http.Handler) http.Handler {
		return auth.Handler(auth.Require(certauth.DNSNames{"other.example"})(next))
	}
	r = request()
	r.Header.Set("X-Client-Cert", "yes")
	require.Zero(t, through(t, route, r).ran)
	list = log.take(t)
	require.Len(t, list, 2, "the Handler's and the route's")
	assert.NotContains(t, list[0], "route")
	assert.NotContains(t, list[0], "revocation_stale_since")
	assert.Equal(t, true, list[1]["route"])
}
