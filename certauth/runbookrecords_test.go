package certauth_test

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// recordsAlone makes requests that are refused for a dozen reasons.
func (b *runbook) recordsAlone(t *testing.T) {
	name, now := certauthtest.DNS("orders.partner.example"), b.clock.now()
	root := certauthtest.NewCA(t, "Partner Root")
	issuing := root.NewIntermediate(t, "Partner Issuing")
	b.write(t, "partner-roots.pem", root.PEM())
	b.write(t, "partner-issuing.pem", issuing.PEM())
	auth := b.gate(t, answer{certauth.Revocation{Status: certauth.RevocationRevoked, Source: "crl"}, nil})
	for _, refused := range []*certauthtest.Certificate{
		nil,
		certauthtest.NewCA(t, "Stranger").Issue(t, "orders", name),
		certauthtest.SelfSigned(t, "orders", name),
		issuing.Issue(t, "orders", name, certauthtest.Valid(now.AddDate(0, -2, 0), now.AddDate(0, 0, -1))),
		issuing.Issue(t, "orders", name, certauthtest.Valid(now.AddDate(0, 0, 1), now.AddDate(0, 2, 0))),
		issuing.Issue(t, "orders", name, certauthtest.Usage(x509.ExtKeyUsageServerAuth)),
		issuing.Issue(t, "orders", certauthtest.DNS("orders.eu.partner.example")),
		{Certificate: issuing.Certificate},
		issuing.Issue(t, "orders", name), // revoked, as this checker says of everybody
	} {
		assert.Equal(t, http.StatusUnauthorized, b.ask(t, auth, refused))
	}
	client := issuing.Issue(t, "orders", name)
	for _, change := range []func(*http.Request){
		func(r *http.Request) { r.Header.Set(certHeader, "not base64") },
		func(r *http.Request) { r.Header.Del("X-Arr-Log-Id") }, // straight to the worker
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/orders", http.NoBody)
		certauthtest.FrontEnd{Name: "AppService"}.Forward(t, r, client)
		change(r)
		require.Zero(t, through(t, auth.Handler, r).ran)
	}
	unavailable := b.gate(t, answer{certauth.Revocation{}, context.DeadlineExceeded})
	assert.Equal(t, http.StatusUnauthorized, b.ask(t, unavailable, client))
	t.Setenv("DENIED_CERTIFICATES", client.SerialNumber.Text(16)+" CN=Partner Issuing,O=certauthtest")
	assert.Equal(t, http.StatusUnauthorized, b.ask(t, b.gate(t, nil), client))
	t.Setenv("DENIED_CERTIFICATES", "")
}

// The record of a refusal alone tells which request, which certificate, which rule and which step:
// shown for more than ten kinds. TestRunbook_TheLogLinesAreReal checks that each line is real.
func TestRunbook_ARecordAloneSaysItForTenKinds(t *testing.T) {
	section := runbookSection(t, "### A record alone says it", "## Our own certificate")
	reasons := map[string]bool{}
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "level=") {
			continue
		}
		reason := regexp.MustCompile(` reason=(\w+) `).FindStringSubmatch(line)
		require.NotNil(t, reason, line)
		reasons[reason[1]] = true
		for _, attribute := range []string{" peer=", " method=GET ", " path=/orders ", " rule=", " detail=", " hint="} {
			assert.Contains(t, line, attribute)
		}
		switch reason[1] {
		case "certificate_missing", "certificate_malformed", "source_untrusted": // no certificate that anybody may read
		default:
			assert.Contains(t, line, " fingerprint=")
			assert.Regexp(t, ` subject(_unverified)?=`, line)
		}
	}
	assert.GreaterOrEqual(t, len(reasons), 10)
}

// Every reason, and every message about the configuration's own certificates, belongs to one class of
// alerts.
func TestRunbook_EachReasonHasAnAlert(t *testing.T) {
	section := runbookSection(t, "### Alerts", "### A record alone")
	table, _, _ := strings.Cut(section, "```")
	for _, reason := range allReasons(t) {
		assert.Equal(t, 1, strings.Count(table, "`"+reason+"`"), reason)
	}
	for _, outcome := range []certauth.Outcome{"expiring", "expired", "unchained", "rootless"} {
		assert.Equal(t, 1, strings.Count(table, "`certauth: "+string(outcome)+"`"), outcome)
	}
	// finding N23: a policy document that is not used was in no class, and package policyfile logs it once.
	for _, kept := range []string{"reload failed", "policy document kept"} {
		assert.Equal(t, 1, strings.Count(table, "`certauth: "+kept+"`"), kept)
	}
}

// finding N113: for half of the reasons the runbook said nothing to whom a partner calls, not even for those that it
// sends to the one on call.
func TestRunbook_EachReasonHasAStep(t *testing.T) {
	_, table, found := strings.Cut(runbookSection(t, "## A partner cannot get in", "```text"), "|---|---|")
	require.True(t, found)
	for _, reason := range allReasons(t) {
		assert.Equal(t, 1, strings.Count(table, "`"+reason+"`"), reason)
	}
}

// The queries use messages and attributes that records have.
func TestRunbook_QueriesAskForAttributesThatAreThere(t *testing.T) {
	section := runbookSection(t, "## Who was refused, and why", "### A record alone")
	text, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	_, documented, found := strings.Cut(string(text), "// # Log records")
	require.True(t, found)
	asked := map[string]bool{}
	for _, match := range regexp.MustCompile(`\br\.(\w+)`).FindAllStringSubmatch(section, -1) {
		asked[match[1]] = true
	}
	for _, match := range regexp.MustCompile(`sum by \(([\w, ]+)\)|unwrap (\w+)|(\w+)="<|(\w+)=~"`).FindAllStringSubmatch(section, -1) {
		for _, names := range match[1:] {
			for name := range strings.SplitSeq(names, ", ") {
				if name != "" {
					asked[name] = true
				}
			}
		}
	}
	assert.Greater(t, len(asked), 8)
	for name := range asked {
		assert.Regexp(t, `(?m)^//\t[\w, ]*\b`+name+`\b`, documented, name)
	}

	// They have the same names in JSON as in text, so that | json makes the same labels of them.
	var log records
	s := certauthtest.SelfSigned(t, "stranger")
	auth := must(t, certauth.Config{Source: fixedSource("s", s.Certificate), Policy: certauth.Thumbprints{pinOfNobody}, Logger: log.logger(slog.LevelWarn)})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/orders", http.NoBody)
	r.Header.Set("Traceparent", traceParent)
	require.Zero(t, through(t, auth.Handler, r).ran)
	record := log.take(t)[0]
	assert.Equal(t, "certauth: denied", record["msg"])
	for name := range asked {
		if !slices.Contains([]string{"subject", "repeated"}, name) { // not of this one
			assert.Contains(t, record, name)
		}
	}
}

// allReasons returns the reasons that reason.go declares.
func allReasons(t *testing.T) (reasons []string) {
	t.Helper()
	source, err := os.ReadFile("reason.go")
	require.NoError(t, err)
	for _, match := range regexp.MustCompile(`Reason += "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		reasons = append(reasons, match[1])
	}
	require.Greater(t, len(reasons), 15)
	return reasons
}

func runbookSection(t *testing.T, from, to string) string {
	t.Helper()
	text, err := os.ReadFile("../.github/RUNBOOK.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), from)
	require.True(t, found)
	section, _, found = strings.Cut(section, to)
	require.True(t, found)
	return section
}

// finding P120: the queries counted the record of a remaining count as a refusal of its own, and took its time for that
// of a refusal.
func TestRunbook_QueriesCountEachRefusalOnce(t *testing.T) {
	s := newRefusals(t, certauth.Thumbprints{pinOfNobody}, unchanged)
	s.send(t, "/a", "/a", "/a")
	s.clock.advance(time.Hour)
	s.send(t, "/b")
	refused := 0
	for _, record := range s.log.take(t) {
		if record["method"] != nil {
			refused++
		}
		if repeated, some := record["repeated"].(float64); some {
			refused += int(repeated)
		}
	}
	require.Equal(t, s.events, refused)

	const request = "request = isnotempty(tostring(r.method))"
	const counted = "sum(iff(request, 1, 0) + coalesce(tolong(r.repeated), 0)" // finding P135: coalesce takes one type, and 0 is a long
	const last = "last = maxif(TimeGenerated, request)"
	for from, to := range map[string]string{"## Who was refused, and why": "### Alerts", "### Prove it afterwards": "## Emergency: block a CA"} {
		section := runbookSection(t, from, to)
		for _, part := range []string{request, counted, last} {
			assert.Contains(t, section, part, from)
		}
	}
	assert.Regexp(t, `count_over_time\(.*\| json \| method != ""`, runbookSection(t, "## Who was refused, and why", "### Alerts"))
}

// finding N140: the first query did not find the records of package forwarded, such as the one that every
// certificate will be refused.
func TestRunbook_TheFirstQueryFindsAllRecords(t *testing.T) {
	text, err := os.ReadFile("../.github/RUNBOOK.md")
	require.NoError(t, err)
	query := regexp.MustCompile(`(?m)^AppServiceConsoleLogs \| where ResultDescription has_any \((.*)\) \| order by`).FindStringSubmatch(string(text))
	require.NotNil(t, query)
	record := regexp.MustCompile(`[lL]og(?:ger)?\.(?:Log|LogAttrs|Debug|Info|Warn|Error)(?:Context)?\([^\n"]*"([a-z]+): `)
	found := map[string]bool{}
	for _, pattern := range []string{"*.go", "forwarded/*.go", "outbound/*.go", "policyfile/*.go", "revocation/*.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, match := range record.FindAllStringSubmatch(string(source), -1) {
				found[match[1]] = true
				assert.Contains(t, query[1], `"`+match[1]+`:"`, file)
			}
		}
	}
	assert.Contains(t, found, "certauth")
	assert.Contains(t, found, "forwarded")
}
