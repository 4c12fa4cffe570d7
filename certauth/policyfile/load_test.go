package policyfile_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
)

// folder is a directory with the material that the documents of the tests name.
type folder struct {
	t    *testing.T
	dir  string
	a, b *certauthtest.CA

	clientA, clientB *certauthtest.Certificate
}

func newFolder(t *testing.T) *folder {
	t.Helper()
	f := &folder{t: t, dir: t.TempDir(), a: certauthtest.NewCA(t, "CA of A"), b: certauthtest.NewCA(t, "CA of B")}
	f.clientA = f.a.Issue(t, "client of A", certauthtest.DNS("orders.a.example"))
	f.clientB = f.b.Issue(t, "client of B", certauthtest.DNS("orders.b.example"))
	f.write("a.pem", string(f.a.PEM()))
	f.write("b.pem", string(f.b.PEM()))
	f.write("client-a.pem", string(f.clientA.PEM()))
	f.write("client-b.pem", string(f.clientB.PEM()))
	return f
}

// write replaces a file in one step, as operators should.
func (f *folder) write(name, content string) string {
	f.t.Helper()
	if f.clientA != nil {
		content = strings.ReplaceAll(content, "@A@", f.clientA.Base64())
	}
	path := filepath.Join(f.dir, name)
	require.NoError(f.t, os.WriteFile(path+".new", []byte(content), 0o600))
	require.NoError(f.t, os.Rename(path+".new", path))
	return path
}

// scoped is the first example of the package documentation, with a source, an exclusion and cases.
const scoped = `{
  "description": "Partners and their own names",
  "source": {"header": {"from": {"insecureAnyPeer": {}}, "name": "X-Client-Cert", "format": "base64DER"}},
  "policy": {"any": [
    {"named": {"name": "a", "policy": {"all": [{"chain": {"roots": {"pemFile": "a.pem"}}}, {"dnsNames": ["orders.a.example"]}]}}},
    {"named": {"name": "b", "policy": {"all": [{"chain": {"roots": {"pemFile": "b.pem"}}}, {"dnsNames": ["orders.b.example"]}, {"notRevoked": {"checker": "strict"}}]}}}
  ]},
  "revocation": {"strict": {}},
  "exclusions": [{"path": "/health", "reason": "probe", "control": "returns no data"}],
  "cases": [
    {"name": "A comes in as A", "certificate": {"pemFile": "client-a.pem"}, "at": "now", "expect": "accepted", "roles": ["a"]},
    {"name": "B comes in as B", "certificate": {"pemFile": "client-b.pem"}, "at": "now", "expect": "accepted", "roles": ["b"]},
    {"name": "a revoked B does not", "certificate": {"pemFile": "client-b.pem"}, "at": "now", "revocation": "revoked", "expect": "certificate_revoked"},
    {"name": "A is too late in 2099", "certificate": {"pemFile": "client-a.pem"}, "at": "2099-01-01T00:00:00Z", "expect": "certificate_expired"},
    {"name": "nobody", "at": "now", "expect": "certificate_missing"},
    {"name": "the probe", "path": "/health", "at": "now", "expect": "excluded"},
    {"name": "not base64", "headers": ["X-Client-Cert: %%%"], "at": "now", "expect": "certificate_malformed"},
    {"name": "A by the header", "headers": ["X-Client-Cert: @A@"], "at": "now", "expect": "accepted"}
  ]
}`

func TestLoad_MakesAConfigOfADocument(t *testing.T) {
	f := newFolder(t)
	doc, err := policyfile.Load(f.write("policy.json", scoped), certauth.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, doc.Close()) })
	assert.Equal(t, "Partners and their own names", doc.Description)
	assert.Contains(t, doc.Checkers, "strict")
	assert.Contains(t, doc.Authenticator().String(), "orders.b.example")
	results, err := doc.RunCases(t.Context())
	require.NoError(t, err)
	require.Len(t, results, 8)
	for _, result := range results {
		assert.Empty(t, result.Failure, result.Case.Name)
	}
}

// The names of one partner are not accepted below the CA of another.
func TestLoad_NamesAreScopedToTheirCA(t *testing.T) {
	f := newFolder(t)
	forged := f.b.Issue(t, "forger", certauthtest.DNS("orders.a.example"))
	f.write("client-b.pem", string(forged.PEM()))
	doc, err := policyfile.Load(f.write("policy.json", strings.Replace(scoped, `"expect": "accepted", "roles": ["b"]`, `"expect": "name_not_allowed"`, 1)), certauth.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, doc.Close()) })
	results, err := doc.RunCases(t.Context())
	require.NoError(t, err)
	assert.Empty(t, results[1].Failure)
}

func TestLoad_SaysWhereEachMistakeStands(t *testing.T) {
	f := newFolder(t)
	const source = `"source": {"header": {"from": {"insecureAnyPeer": {}}, "name": "X-Client-Cert", "format": "base64DER"}}`
	for _, tc := range []struct{ name, document, want string }{
		{"an unknown member", `{` + source + `,
"policy": {"dnsName": ["a"]}}`, `2:12: policy.dnsName: unknown member; did you mean "dnsNames"?`},
		{"another letter case", `{` + source + `,
"policy": {"dnsNAMES": ["a"]}}`, `2:12: policy.dnsNAMES: unknown member; did you mean "dnsNames"?`},
		{"a member that stands twice", "{\n\"optional\": true,\n  \"optional\": false}", `3:3: the member "optional" stands here twice`},
		{"text after the document", "{}\nx", `2:1: not JSON: `},
		// finding O73: these said only which character is invalid.
		{"a comma too many", `{` + source + ",}", `not JSON: invalid character ',' at start of value; remove the comma after the last member`},
		{"a comment", "{\n// " + source + "}", `2:1: not JSON: invalid character '/' at start of value; JSON has no comments, and "description" is for them`},
		{"single quotes", "{'source': {}}", `1:2: not JSON: invalid character '\'' at start of value; JSON has double quotes`},
		{"YAML", "source:\n  appService: {}\n", `1:1: not JSON: invalid character 's' at start of value; a document begins with {, and YAML must be converted`},
		{"a second document", "{}\n {}", `2:3: text after the end of the document`},
		{"half a document", "{\"optional\":", `1:13: optional: the document ends too early`},
		{"nothing", "", `1:1: the document ends too early`},
		{"a list of documents", "[]", `1:1: an array, want an object`},
		{"null", `{` + source + `,
"policy": null}`, `2:11: policy: null, want an object whose one member says which policy it is, such as {"all": ...}`},
		{"two policies at one place", `{` + source + `,
"policy": {"dnsNames": ["a"], "ips": ["10.0.0.1"]}}`, `2:11: policy: 2 members, want exactly one: which policy it is`},
		{"an empty list", `{` + source + `,
"policy": {"all": []}}`, `2:19: policy.all: an empty list`},
		{"columns count characters", `{"description": "ü", "optiona": 1}`, `1:22: optiona: unknown member; did you mean "optional"?`},
		{"a member that is missing", `{"policy": {"dnsNames": ["a"]}}`, `1:1: "source" is missing`},
		{"a word of no enumeration", `{` + source + `,
"policy": {"dnsNames": ["a"]},
"revocation": {"strict": {"mode": "softFall"}}}`, `3:35: revocation.strict.mode: "softFall", want one of: hardFail, softFail; did you mean "softFail"?`},
		{"no unit", `{` + source + `,
"policy": {"dnsNames": ["a"]},
"reloadInterval": "30"}`, `3:19: reloadInterval: want a duration such as "90s", "1h30m" or "10d"`},
		{"half a number", `{` + source + `,
"policy": {"dnsNames": ["a"]},
"cacheSize": 1.5}`, `3:14: cacheSize: "1.5", want a whole number between -2147483648 and 2147483647`},
		{
			"what New says of a policy", `{` + source + `,
"policy": {"all": [{"dnsNames": ["a"]}, {"chain": {"roots": {"pemFile": "a.pem"}}}]}}`,
			`2:33: policy.all[0].dnsNames: comes before any anchor`,
		},
		{"what New says of a pin", `{` + source + `,
"policy": {"any": [{"thumbprints": ["0011"]}]}}`, `2:37: policy.any[0].thumbprints[0]: 2 bytes, want 32`},
		{"what New says below a name", `{` + source + `,
"policy": {"named": {"name": "x: y", "policy": {"publicKeys": ["0011"]}}}}`, `2:64: policy.named.policy.publicKeys[0]: 2 bytes, want 32`},
		{"what New says of the gate", `{"source": {"nginx": {"from": {"peers": ["0.0.0.0/0"]}}}, "policy": {"thumbprints": ["` + f.clientA.Thumbprint() + `"]}}`, `source.nginx.from`},
		{"what New says of an exclusion", `{` + source + `,
"policy": {"thumbprints": ["` + f.clientA.Thumbprint() + `"]}, "exclusions": [{"path": "health", "reason": "r", "control": "c"}]}`, `exclusions[0].path: `},
		{"what revocation.New says", `{` + source + `,
"policy": {"thumbprints": ["` + f.clientA.Thumbprint() + `"]}, "revocation": {"r": {"staleGrace": "48h"}}}`, `revocation.r.staleGrace: 48h0m0s, want at most`},
		// finding P28: of a mistake in an address only "URL not allowed" was said, without the place and the cause.
		{
			"what revocation.New says of a responder", `{` + source + `,
"policy": {"thumbprints": ["` + f.clientA.Thumbprint() + `"]}, "revocation": {"r": {"responders": [{"url": "http://ocsp.example"}, {"url": "http://a:b@ocsp.example"}]}}}`,
			`revocation.r.responders[1].url: revocation: URL not allowed: user information`,
		},
		{
			"what revocation.New says of a list", `{` + source + `,
"policy": {"thumbprints": ["` + f.clientA.Thumbprint() + `"]}, "revocation": {"r": {"lists": [{"url": "ftp://crl.example"}], "issuers": {"pemFile": "a.pem"}}}}`,
			`revocation.r.lists[0]: revocation: URL not allowed: scheme "ftp", want http or https`,
		},
		{
			"what revocation.New says of a proxy", `{` + source + `,
"policy": {"thumbprints": ["` + f.clientA.Thumbprint() + `"]}, "revocation": {"r": {"http": {"proxy": "socks5://proxy.example:1080", "allowHosts": ["10.0.0.1"]}}}}`,
			`revocation.r.http.proxy: scheme "socks5", want http or https`,
		},
		{
			"what revocation.New says of one of its hosts", `{` + source + `,
"policy": {"thumbprints": ["` + f.clientA.Thumbprint() + `"]}, "revocation": {"r": {"http": {"allowHosts": ["ocsp.example", "10.0.0.1"]}}}}`,
			`revocation.r.http.allowHosts[1]: 10.0.0.1: an address belongs in AllowNets`,
		},
		{
			"a check that nobody defines", `{` + source + `,
"policy": {"all": [{"chain": {"roots": {"pemFile": "a.pem"}}}, {"notRevoked": {"checker": "strict"}}]}}`,
			`policy.all[1].notRevoked: no revocation check is called "strict"; the document has no "revocation"`,
		},
		{"a file that is not there", `{` + source + `,
"policy": {"chain": {"roots": {"pemFile": "c.pem"}}}}`, `policy.chain.roots: file `},
		{"pinned certificates that are not there", `{` + source + `,
"policy": {"certificates": {"pemFile": "c.pem"}}}`, `policy.certificates: file `},
		{
			"a secret that is not set", `{"source": {"nginx": {"from": {"sharedSecret": {"header": "X-S", "values": [{"env": "CERTAUTH_TEST_NOT_SET"}]}}}}, "policy": {"thumbprints": ["` + f.clientA.Thumbprint() + `"]}}`,
			`1:77: source.nginx.from.sharedSecret.values[0]: the environment variable of this name is not set or empty`,
		},
		{
			"two cases of one name", `{` + source + `,
"policy": {"thumbprints": ["` + f.clientA.Thumbprint() + `"]}, "cases": [{"name": "a", "at": "now", "expect": "accepted"}, {"name": "a", "at": "now", "expect": "accepted"}]}`,
			`cases[1]: name: "a", want a name that no other case has`,
		},
		{"deeper than anybody writes", strings.Repeat(`{"policy":`, 100) + `1` + strings.Repeat(`}`, 100), `nested deeper than 64 levels`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := policyfile.Load(f.write("policy.json", tc.document), certauth.Config{})
			mistakes, ok := errors.AsType[policyfile.Mistakes](err)
			require.True(t, ok, "%v", err)
			assert.Contains(t, err.Error(), tc.want)
			for _, m := range mistakes {
				assert.Positive(t, m.Line, m.String())
				assert.Positive(t, m.Column, m.String())
				assert.Equal(t, "policy.json", m.File)
			}
		})
	}
}

func TestLoad_ReportsAllMistakesAtOnceAndInOrder(t *testing.T) {
	f := newFolder(t)
	_, err := policyfile.Load(f.write("policy.json", "{\n\"optional\": 1,\n\"cacheSize\": true,\n\"polici\": {}}"), certauth.Config{})
	mistakes, ok := errors.AsType[policyfile.Mistakes](err)
	require.True(t, ok, "%v", err)
	var lines []int
	for _, m := range mistakes {
		lines = append(lines, m.Line)
	}
	assert.Equal(t, []int{1, 1, 2, 3, 4}, lines, "%v", err)
}

func TestLoad_CodeMustNotSayWhatTheDocumentSays(t *testing.T) {
	f := newFolder(t)
	path := f.write("policy.json", scoped)
	_, err := policyfile.Load(path, certauth.Config{CacheSize: 7})
	assert.EqualError(t, err, "policyfile: CacheSize is set in code; set it in the document instead")
	_, err = policyfile.Open(path, certauth.Config{Optional: true})
	assert.EqualError(t, err, "policyfile: Optional is set in code; set it in the document instead")
}

// The document in the documentation works.
func TestDoc_TheExamplesAreDocuments(t *testing.T) {
	f := newFolder(t)
	text, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	found := 0
	for _, block := range strings.Split(string(text), "\n//\n") {
		block = strings.ReplaceAll(strings.ReplaceAll(block, "//\t", ""), "\n// ", "\n")
		block = strings.TrimSpace(strings.TrimPrefix(block, "//"))
		if !strings.HasPrefix(block, `{"a`) || !json.Valid([]byte(block)) {
			continue
		}
		found++
		_, err := policyfile.UnmarshalPolicy([]byte(block), nil)
		require.NoError(t, err, block)
		doc, err := policyfile.Load(f.write("policy.json", `{"source": {"appService": {"insecureOutsideAppService": true}}, "policy": `+block+`}`), certauth.Config{})
		require.NoError(t, err, block)
		require.NoError(t, doc.Close())
	}
	assert.Equal(t, 2, found)
}

func TestRunCases_SayWhatWasExpectedAndWhatCame(t *testing.T) {
	f := newFolder(t)
	for _, tc := range []struct{ name, from, to, want string }{
		{"another outcome", `"at": "now", "expect": "accepted", "roles": ["a"]`, `"at": "now", "expect": "anonymous"`, `expected anonymous, got accepted`},
		{"another role", `"roles": ["a"]`, `"roles": ["b"]`, `expected the roles ["b"], got ["a"]`},
		{"no role", `"roles": ["a"]`, `"roles": []`, `expected the roles [], got ["a"]`},
		{"a refusal", `"revocation": "revoked", "expect": "certificate_revoked"`, `"revocation": "unknown", "expect": "accepted"`, `expected accepted, got revocation_unknown by Policy.Any[1].Named("b").All[2].NotRevoked`},
		{"another rule", `"expect": "certificate_revoked"`, `"expect": "certificate_revoked", "rule": "Policy.Any[0]"`, `expected the rule Policy.Any[0], got Policy.Any[1].Named("b").All[2].NotRevoked`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			changed := strings.Replace(scoped, tc.from, tc.to, 1)
			require.NotEqual(t, scoped, changed)
			doc, err := policyfile.Load(f.write("policy.json", changed), certauth.Config{})
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, doc.Close()) })
			results, err := doc.RunCases(t.Context())
			require.NoError(t, err)
			var failures []string
			for _, result := range results {
				if result.Failure != "" {
					failures = append(failures, result.Failure)
				}
			}
			require.Len(t, failures, 1)
			assert.Contains(t, failures[0], tc.want)
		})
	}
}

// A case has its own clock.
func TestRunCases_AtNowGoesByTheClockOfTheConfig(t *testing.T) {
	f := newFolder(t)
	late := func() time.Time { return time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC) }
	_, err := policyfile.Open(f.write("policy.json", scoped), certauth.Config{Now: late})
	assert.ErrorContains(t, err, `case "A comes in as A": expected accepted, got certificate_expired`)
}

func FuzzLoad_NeverPanics(f *testing.F) {
	f.Add([]byte(scoped))
	f.Add([]byte(`{"policy": {"named": {"name": "a", "policy": {"not": {"policy": {"any": [{"ips": ["::"]}]}}}}}}`))
	f.Add([]byte(`{"a":1,"a":2}`))
	f.Add([]byte("{\"cases\": [{\"at\": \"now\"}]}\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		policy, err := policyfile.UnmarshalPolicy(text, nil)
		if err != nil {
			mistakes, ok := errors.AsType[policyfile.Mistakes](err)
			require.True(t, ok)
			require.NotEmpty(t, mistakes)
			return
		}
		written, err := policyfile.MarshalPolicy(policy, nil)
		require.NoError(t, err)
		_, err = policyfile.UnmarshalPolicy(written, nil)
		require.NoError(t, err)
	})
}
