package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
)

// panicking is a revocation check that panics.
type panicking struct{}

func (panicking) CheckChain(context.Context, []*x509.Certificate) (certauth.Revocation, error) {
	panic("responder")
}

// manyBranches returns a policy that needs more steps than a request may cost: four times, one of
// 16 roles is accepted, followed by a rule that refuses all of them.
func manyBranches() string {
	var roles []string
	for i := range 16 {
		roles = append(roles, fmt.Sprintf(`{"named": {"name": "r%d", "policy": {"not": {"policy": {"commonNames": ["n%[1]d"]}}}}}`, i))
	}
	anyRole := `{"any": [` + strings.Join(roles, ", ") + `]}`
	return `{"all": [` + chain + strings.Repeat(", "+anyRole, 4) + `, {"dnsNames": ["nobody.example"]}]}`
}

// recordsOf returns the log records of one request that is judged by the document as in a service.
func recordsOf(t *testing.T, w *world, policy string, change func(c *certauth.Config), ctx context.Context) string { //nolint:revive // the context is part of the data
	t.Helper()
	var log bytes.Buffer
	doc, err := policyfile.Load(policy, certauth.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, doc.Close()) })
	config, err := doc.WithoutGate(panicking{})
	require.NoError(t, err)
	config.Logger = slog.New(slog.NewJSONHandler(&log, nil))
	if change != nil {
		change(&config)
	}
	auth, err := certauth.New(config)
	require.NoError(t, err)
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody)
	certauthtest.FrontEnd{Name: "AppService"}.Forward(t, r, w.issuing.Issue(t, "orders", certauthtest.DNS("orders.partner.example")))
	auth.Handler(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
	return log.String()
}

// Reasons that no header can cause still occur in the records of a service.
func TestExplain_NamesRuleAndNextStepForReasonsThatOnlyRecordsHave(t *testing.T) {
	w := newWorld(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	unmade := func(c *certauth.Config) {
		c.Source = certauth.SourceFunc{Name: "session", Func: func(r *http.Request) ([]*x509.Certificate, error) {
			id, err := (*certauth.Authenticator)(nil).Check(r)
			if err != nil {
				return nil, err
			}
			return []*x509.Certificate{id.Leaf}, nil
		}}
	}
	for _, tc := range []struct {
		reason, policy string
		ctx            context.Context //nolint:containedctx // part of a table row
		change         func(c *certauth.Config)
		rule, next     string
	}{
		{"internal_error", w.named("internal", `{"all": [`+chain+`, {"notRevoked": {"checker": "strict"}}]}`), t.Context(), nil, "Policy", "panic"},
		{"overloaded", w.named("overloaded", manyBranches()), t.Context(), nil, "Policy", "find their sender"},
		{"request_canceled", w.named("canceled", chain), gone, nil, "Policy", "client disconnected"},
		{"not_configured", w.named("unmade", chain), t.Context(), unmade, "Source", "New returned"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			log := recordsOf(t, w, tc.policy, tc.change, tc.ctx)
			got := certauthRun(t, log, "explain", "-json", "-policy", tc.policy, "-record", "-")
			require.Equal(t, exitNo, got.code, got.errs+log)
			var answer explanation
			require.NoError(t, json.Unmarshal([]byte(got.out), &answer))
			assert.Equal(t, "refused", answer.Decision)
			assert.Equal(t, tc.reason, answer.Reason)
			assert.Equal(t, tc.rule, answer.Rule)
			assert.Contains(t, answer.Next, tc.next)
			assert.NotEmpty(t, answer.Detail)
			assert.Regexp(t, `\.json:\d+:\d+$`, answer.Where)
			for _, note := range answer.Notes {
				assert.NotContains(t, note, "another version")
			}
			plain := certauthRun(t, log, "explain", "-policy", tc.policy, "-record", "-")
			assert.Contains(t, plain.out, "refused: "+tc.reason)
			assert.Contains(t, plain.out, "  rule     "+answer.Rule+"\n")
			assert.Regexp(t, `(?m)^  next +\S`, plain.out)
		})
	}
}

// A failed reload refuses no request; its record has no reason and is explained as not_configured.
func TestExplain_NamesTheFileAndTheNextStepOfAFailedReload(t *testing.T) {
	w := newWorld(t)
	policy := w.named("policy", chain)
	for _, tc := range []struct {
		name string
		log  func(t *testing.T, logger *slog.Logger)
		rule string
		want []string
	}{
		{"a document with a mistake", func(t *testing.T, logger *slog.Logger) {
			t.Helper()
			other := w.write("served.json", `{"source": {"appService": {"insecureOutsideAppService": true}}, "policy": `+chain+`}`)
			auth, err := policyfile.Open(other, certauth.Config{Logger: logger})
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, auth.Close()) })
			w.write("served.json", `{"sauce": 1}`)
			require.Error(t, auth.Reload(t.Context()))
		}, "served.json", []string{"sauce", "repair the document"}},
		{"a file of roots that went away", func(t *testing.T, logger *slog.Logger) {
			t.Helper()
			roots := w.write("roots.pem", string(w.root.PEM()))
			auth, err := certauth.New(certauth.Config{Source: certauth.TLS{}, Policy: certauth.Chain{Roots: certauth.PEMFile(roots)}, Logger: logger})
			require.NoError(t, err)
			require.NoError(t, os.Remove(roots))
			require.Error(t, auth.Reload(t.Context()))
		}, "Policy.Chain.Roots", []string{"roots.pem", "repair the file", "policy.json:1:"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var log bytes.Buffer
			tc.log(t, slog.New(slog.NewJSONHandler(&log, nil)))
			page := w.path("page.html")
			got := certauthRun(t, log.String(), "explain", "-policy", policy, "-record", "-", "-html", page)
			require.Equal(t, exitNo, got.code, got.errs+log.String())
			assert.True(t, strings.HasPrefix(got.out, "kept: not_configured\n"), got.out)
			assert.Regexp(t, `(?m)^  rule +.*`+tc.rule, got.out)
			for _, want := range tc.want {
				assert.Contains(t, got.out, want)
			}
			html, err := os.ReadFile(page)
			require.NoError(t, err)
			assert.Contains(t, string(html), "kept: not_configured")

			// In addition to a refusal it is a note.
			got = certauthRun(t, recordsOf(t, w, policy, func(c *certauth.Config) { c.Policy = certauth.Thumbprints{strings.Repeat("ab", 32)} }, t.Context())+log.String(),
				"explain", "-policy", policy, "-record", "-")
			assert.Contains(t, got.out, "refused: pin_mismatch")
			assert.Contains(t, got.out, "a reload failed as well")
		})
	}
}

// A record that counts repetitions has no hint; the hint of the first record applies.
func TestExplain_TakesTheWordsOfARepeatFromItsFirstRecord(t *testing.T) {
	w := newWorld(t)
	policy := w.named("policy", chain)
	first := `{"msg": "certauth: denied", "reason": "chain_untrusted", "rule": "Policy.Chain", "detail": "no way", "hint": "add it"}`
	count := `{"msg": "certauth: refusals", "reason": "chain_untrusted", "rule": "Policy.Chain", "repeated": 7}`
	got := certauthRun(t, first+"\n"+count, "explain", "-policy", policy, "-record", "-")
	assert.Contains(t, got.out, "next     add it\n")
	assert.Contains(t, got.out, "found    no way\n")
	got = certauthRun(t, count, "explain", "-policy", policy, "-record", "-")
	assert.Contains(t, got.out, "refused: chain_untrusted")
	assert.Contains(t, got.out, "look for the first one")
}

// finding O50: the document that was given may be another version than the one that refused, as the log shows.
func TestExplain_SaysThatTheServiceUsesAnotherVersionOfTheDocument(t *testing.T) {
	w := newWorld(t)
	policy := w.named("policy", chain)
	text, err := os.ReadFile(policy)
	require.NoError(t, err)
	const denied, use = `{"msg": "certauth: denied", "reason": "chain_untrusted", "rule": "Policy.Chain", "detail": "d", "hint": "h"}`, `{"msg": "certauth: policy document in use", "in_use": "%x"}` + "\n"
	this, other := fmt.Sprintf(use, sha256.Sum256(text)), fmt.Sprintf(use, sha256.Sum256(nil))
	for log, noted := range map[string]bool{this + denied: false, other + this + denied: false, this + other + denied: true, other + denied + "\n" + this: true, denied: false} {
		got := certauthRun(t, log, "explain", "-policy", policy, "-record", "-")
		assert.Equal(t, noted, strings.Contains(got.out, "the service used another version of this document"), log)
	}
}

// The rule of a route is in the program, so no line of the document is named for it.
func TestExplain_NamesNoLineForARuleOfTheProgram(t *testing.T) {
	w := newWorld(t)
	policy := w.named("policy", chain)
	got := certauthRun(t, `{"msg": "certauth: denied", "reason": "name_not_allowed", "rule": "Require.DNSNames", "detail": "d", "hint": "h", "route": true}`, "explain", "-policy", policy, "-record", "-")
	assert.Equal(t, exitNo, got.code)
	assert.Contains(t, got.out, "stands in the program")
	assert.NotContains(t, got.out, "  where ")
	got = certauthRun(t, `{"msg": "certauth: reported", "reason": "chain_untrusted", "rule": "Policy.Chain", "detail": "d", "hint": "h"}`, "explain", "-policy", policy, "-record", "-")
	assert.Contains(t, got.out, "InsecureReportOnly")
}

// finding O25: a later record with an attribute of that name, such as one about the application's own certificate, was
// explained as the refusal of a caller.
func TestExplain_TakesOnlyRecordsOfCallers(t *testing.T) {
	w := newWorld(t)
	policy := w.named("policy", chain)
	others := []string{
		`{"msg": "outbound: refused", "reason": "server_untrusted", "error": "e", "hint": "is this the right server?"}`,
		`{"msg": "order not accepted", "reason": "out of stock", "detail": "none left"}`,
	}
	for _, other := range others {
		got := certauthRun(t, `{"msg": "certauth: denied", "reason": "chain_untrusted", "rule": "Policy.Chain", "detail": "no way", "hint": "add it"}`+"\n"+other, "explain", "-policy", policy, "-record", "-")
		assert.Equal(t, exitNo, got.code)
		assert.Contains(t, got.out, "refused: chain_untrusted", other)
		assert.Contains(t, got.out, "next     add it\n", other)
		assert.Equal(t, exitFailed, certauthRun(t, other, "explain", "-policy", policy, "-record", "-").code, other)
	}
}

// finding N51: a record names reason, rule and next step, but was not explained without the document, which operators
// of a service with its policy in code do not have.
func TestExplain_ExplainsARecordWithoutADocument(t *testing.T) {
	const denied = `{"msg": "certauth: denied", "reason": "chain_untrusted", "rule": "Policy.All[0].Chain", "detail": "no way", "hint": "add it"}`
	got := certauthRun(t, denied, "explain", "-record", "-")
	assert.Equal(t, exitNo, got.code, got.errs)
	assert.Equal(t, "refused: chain_untrusted\n  rule     Policy.All[0].Chain\n  found    no way\n  next     add it\n  note     a log record holds no certificate, so that the other rules are not judged\n", got.out)

	got = certauthRun(t, `{"msg": "certauth: reload failed, last good set kept", "rule": "Policy.Chain.Roots", "detail": "gone"}`, "explain", "-record", "-")
	assert.Equal(t, exitNo, got.code, got.errs)
	assert.Contains(t, got.out, "kept: not_configured\n  rule     Policy.Chain.Roots\n  found    gone\n  next     repair the file")
	assert.NotContains(t, got.out, "where")

	got = certauthRun(t, "", "explain", "MIIB")
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.errs, "-policy is missing")
}

// finding N56: a log with other output of the service, such as a line of a framework, or with records whose attributes
// of these names are no texts, could not be explained at all.
func TestExplain_IgnoresOtherOutputInALog(t *testing.T) {
	const denied = `{"time": "2026-01-01T00:00:00Z", "msg": "certauth: denied", "reason": "chain_untrusted", "rule": "Policy.Chain", "detail": "no way", "hint": "add it"}`
	for _, other := range []string{
		`{"msg": "payment", "reason": 42, "detail": {"a": 1}, "subject": ["b"]}`, `{"time": 1700000000, "msg": "x"}`, `[1]`, `"text"`, `null`, `7`,
		"[GIN-debug] GET /orders", "2026/01/01 00:00:00 http: TLS handshake error", `{"msg": "cut`, `{"msg": "x"} and more`, "\x00\xff", "{", "\r\n",
	} {
		for name, log := range map[string]string{"before": other + "\n" + denied + "\n", "after": denied + "\n" + other, "between": denied + "\n" + other + "\n" + strings.Replace(denied, "no way", "no way at all", 1)} {
			got := certauthRun(t, log, "explain", "-record", "-")
			assert.Equal(t, exitNo, got.code, "%s %q: %s", name, other, got.errs)
			assert.Contains(t, got.out, "refused: chain_untrusted\n", other)
			if name == "between" {
				assert.Contains(t, got.out, "no way at all", other)
			}
		}
	}
	// finding O47: as az webapp log tail, kubectl logs --timestamps and docker compose print it.
	for _, prefix := range []string{"2026-01-01T00:00:00.123456789Z ", "2026-01-01T00:00:00.123456789Z stderr F ", "orders-1  | "} {
		got := certauthRun(t, prefix+"started\n"+prefix+denied+"\n"+prefix+"stopping\n", "explain", "-record", "-")
		assert.Equal(t, exitNo, got.code, "%q: %s", prefix, got.errs)
		assert.Contains(t, got.out, "refused: chain_untrusted\n", prefix)
	}
	// finding O51: as az monitor log-analytics query prints the query of the runbook.
	row := func(text string) string {
		return `{"ResultDescription": ` + strconv.Quote(text) + `, "TableName": "PrimaryResult", "TimeGenerated": "2026-01-01T00:00:01Z"}`
	}
	for _, export := range []string{"[\n" + row("started") + ",\n" + row(denied) + "\n]\n", row(denied) + "\n" + row("stopping"), "[" + row(denied) + "]"} {
		got := certauthRun(t, export, "explain", "-record", "-")
		assert.Equal(t, exitNo, got.code, "%s: %s", export, got.errs)
		assert.Contains(t, got.out, "refused: chain_untrusted\n", export)
	}
	// finding O57: as logcli and Grafana export the runbook's query of Loki, and as Docker stores the output of a
	// container.
	for _, name := range []string{"line", "log"} {
		entry := `{"labels": {"app": "orders"}, "timestamp": "2026-01-01T00:00:01Z", "` + name + `": ` + strconv.Quote(denied+"\n") + `}`
		for _, export := range []string{entry + "\n", "[" + entry + "]"} {
			got := certauthRun(t, export, "explain", "-record", "-")
			assert.Equal(t, exitNo, got.code, "%s: %s", export, got.errs)
			assert.Contains(t, got.out, "refused: chain_untrusted\n", export)
		}
		quoted := `{"msg": "request", "` + name + `": ` + strconv.Quote(denied) + `}` // by the service, of what a client sent
		assert.Equal(t, exitFailed, certauthRun(t, quoted, "explain", "-record", "-").code, name)
	}
	// finding O54: of rows it said only that none has the attribute reason.
	const text = "level=WARN msg=\"certauth: denied\" reason=chain_untrusted"
	for _, log := range []string{text + "\n" + text + "\n", "[" + row(text) + "," + row(text) + "]"} {
		got := certauthRun(t, log, "explain", "-record", "-")
		assert.Equal(t, exitFailed, got.code)
		assert.Contains(t, got.errs, "2 lines are no JSON, as slog.JSONHandler writes it")
	}
}

// finding O52: the query of the runbook returns the newest record first, so that the oldest refusal was explained, and
// by the document that came into use after it. The fractions have no zeros at their end, as slog writes them.
func TestExplain_ExplainsTheNewestRecordInAnyOrder(t *testing.T) {
	w := newWorld(t)
	policy := w.named("policy", chain)
	text, err := os.ReadFile(policy)
	require.NoError(t, err)
	log := []string{
		`{"time": "2026-01-01T01:59:59.9+01:00", "msg": "certauth: policy document in use", "in_use": "00"}`,
		`{"time": "2026-01-01T01:00:00Z", "msg": "certauth: denied", "reason": "certificate_expired", "rule": "Policy.Chain", "detail": "old", "hint": "renew"}`,
		fmt.Sprintf(`{"time": "2026-01-01T01:00:00.12Z", "msg": "certauth: policy document in use", "in_use": "%x"}`, sha256.Sum256(text)),
		`{"time": "2026-01-01T01:00:00.123Z", "msg": "certauth: denied", "reason": "chain_untrusted", "rule": "Policy.Chain", "detail": "new", "hint": "add it"}`,
	}
	rows := make([]string, 0, len(log))
	for _, record := range log {
		rows = append(rows, `{"ResultDescription": `+strconv.Quote(record)+`}`)
	}
	for range 2 {
		for _, log := range []string{strings.Join(log, "\n"), "[" + strings.Join(rows, ",") + "]"} {
			got := certauthRun(t, log, "explain", "-policy", policy, "-record", "-")
			assert.Contains(t, got.out, "refused: chain_untrusted\n", log)
			assert.NotContains(t, got.out, "another version", log)
		}
		slices.Reverse(log)
		slices.Reverse(rows)
	}
}

// finding O53: a failed reload was explained, or noted beside a refusal, also if the log shows that the file was repaired.
func TestExplain_IgnoresAFailedReloadThatWasRepaired(t *testing.T) {
	const (
		failed   = `{"msg": "certauth: reload failed, last good set kept", "rule": "Policy.Chain.Roots", "detail": "gone"}` + "\n"
		reloaded = `{"msg": "certauth: reloaded", "rule": "Policy.Chain.Roots"}` + "\n"
		other    = `{"msg": "certauth: reloaded", "rule": "Policy.Chain.Intermediates"}` + "\n"
		kept     = `{"msg": "certauth: policy document kept", "rule": "policy.json", "detail": "bad"}` + "\n"
		inUse    = `{"msg": "certauth: policy document in use", "rule": "policy.json", "in_use": "00"}` + "\n"
		denied   = `{"msg": "certauth: denied", "reason": "chain_untrusted", "rule": "Policy.Chain", "detail": "no way", "hint": "add it"}` + "\n"
	)
	for log, noted := range map[string]string{
		failed + other: "gone", reloaded + failed: "gone", inUse + kept: "bad", failed + reloaded: "", kept + inUse: "",
		kept + failed + reloaded: "bad", failed + kept + inUse: "gone",
	} {
		got := certauthRun(t, log+denied, "explain", "-record", "-")
		assert.Equal(t, noted != "", strings.Contains(got.out, "a reload failed as well"), log)
		assert.Contains(t, got.out, noted, log)
		got = certauthRun(t, log, "explain", "-record", "-")
		assert.Equal(t, noted != "", strings.Contains(got.out, "kept: not_configured"), log)
	}
}

// finding O61: each of a million lines that open a list, as a dump of something else may have, was read to the end of the
// log or ten thousand lists deep, which took hours.
func TestExplain_ListsWithoutAnEndInALogCostLittle(t *testing.T) {
	const denied = `{"time": "2026-01-01T00:00:00Z", "msg": "certauth: denied", "reason": "chain_untrusted", "rule": "Policy.Chain", "detail": "no way", "hint": "add it"}`
	for _, opening := range []string{"[\n", "{\"a\":\n", "[\n[\n[\nx\n"} {
		content := []byte(strings.Repeat(opening, 20_000/strings.Count(opening, "\n")) + denied + "\n")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		records, others := logRecords(content)
		runtime.ReadMemStats(&after)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(50<<20+200*len(content)), "%q: what is read was allocated", opening)
		assert.Equal(t, 20_000, others, opening)
		require.Len(t, records, 1, opening)
		assert.Equal(t, "no way", records[0].Detail)
	}
}
