package policyfile_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
)

// finding I17-3: a document could have an effect other than it seemed to: because of invisible
// characters, and of a 0 that does not mean 0.
func TestLoad_RefusesWhatReadsOtherwiseThanItActs(t *testing.T) {
	f := newFolder(t)
	const rest = `"source": {"appService": {}}, `
	chain := `{"chain": {"roots": {"pemFile": "a.pem"}%s}}`
	for _, tc := range []struct{ name, document, want string }{
		{"text turned around", `{` + rest + `"policy": {"dnsNames": ["a` + "\u202e" + `b.example"]}}`, `1:58: the character U+202E, which a reader does not see`},
		{"an isolate", "{" + rest + "\n\"description\": \"\u2066\", \"policy\": " + fmt.Sprintf(chain, "") + "}", `2:17: the character U+2066`},
		{"a space of no width", `{"description": "a` + "\u200b" + `"}`, `the character U+200B`},
		{"a space that is none", `{"description": "a` + "\u00a0" + `"}`, `the character U+00A0`},
		// finding P130: these passed.
		{"a selector of the look of a letter", `{"description": "a` + "\ufe0f" + `"}`, `the character U+FE0F, which a reader does not see`},
		{"one of the second block", `{"description": "a` + "\U000e0101" + `"}`, `the character U+E0101`},
		{"a selector of Mongolian", `{"description": "a` + "\u180b" + `"}`, `the character U+180B`},
		{"a blank of Braille", `{"description": "a` + "\u2800" + `"}`, `the character U+2800`},
		{"a filler", `{"description": "a` + "\u3164" + `"}`, `the character U+3164`},
		{"a mark at the beginning", "\ufeff{}", `1:1: the character U+FEFF`},
		// finding P26: these mistakes proposed to write as an escape what an editor or a shell puts before a document.
		{"what to do about a mark at the beginning", "\ufeff{}", `a byte order mark; save the document as UTF-8 without it`},
		{"what to do about a mark elsewhere", "{\ufeff}", `1:2: the character U+FEFF, which a reader does not see; write it as an escape`},
		{"UTF-16 of PowerShell", "\xff\xfe{\x00}\x00", `policy.json: this is UTF-16`},
		{"UTF-16 in the other order", "\xfe\xff\x00{\x00}", `policy.json: this is UTF-16`},
		{"a line that a terminal writes over", `{` + rest + `"policy": {"any": [` + fmt.Sprintf(chain, "") + ",\r" + fmt.Sprintf(chain, "") + `]}}`, `the character U+000D`},
		{"no CA above the leaf", `{` + rest + `"policy": ` + fmt.Sprintf(chain, `, "maxDepth": 0`) + `}`, `policy.chain.maxDepth: 0 is read as if the member were missing`},
		{"no CA above the leaf, another spelling", `{` + rest + `"policy": ` + fmt.Sprintf(chain, `, "maxDepth": -0.0e5`) + `}`, `policy.chain.maxDepth: -0.0e5 is read`},
		{"almost no CA above the leaf", `{` + rest + `"policy": ` + fmt.Sprintf(chain, `, "maxDepth": 1e-999`) + `}`, `policy.chain.maxDepth: 1e-999 is read`},
		{"no lifetime", `{` + rest + `"policy": {"all": [` + fmt.Sprintf(chain, "") + `, {"validity": {"maxLifetime": "0s", "minRemaining": "1d"}}]}}`, `policy.all[1].validity.maxLifetime: 0s is read`},
		{"no cache", `{` + rest + `"cacheSize": 0, "policy": ` + fmt.Sprintf(chain, "") + `}`, `cacheSize: 0 is read`},
		{"a member twice, one of them escaped", `{` + rest + `"policy": {"all": [` + fmt.Sprintf(chain, "") + `, {"validity": {"maxLifetime": "1d", "max\u004cifetime": "400d"}}]}}`, `the member "maxLifetime" stands here twice`},
		{"a member twice in a case", `{"cases": [{"expect": "accepted", "expect": "certificate_denied"}]}`, `the member "expect" stands here twice`},
		{"a member of look-alike letters", `{` + rest + `"policy": {"dnsNаmes": ["a"]}}`, `policy."dnsN\u0430mes": unknown member`},
		{"a number as text", `{` + rest + `"policy": ` + fmt.Sprintf(chain, `, "maxDepth": "1"`) + `}`, `policy.chain.maxDepth: a string, want a whole number`},
		{"a truth as text", `{` + rest + `"optional": "false", "policy": ` + fmt.Sprintf(chain, "") + `}`, `optional: a string, want true or false`},
		{"an exclusion of nothing", `{` + rest + `"exclusions": null, "policy": ` + fmt.Sprintf(chain, "") + `}`, `exclusions: null, want a list`},
		{"a case whose path is a host", `{` + rest + `"policy": ` + fmt.Sprintf(chain, "") + `, "cases": [{"name": "a", "at": "now", "path": "@x/health", "expect": "certificate_missing"}]}`, `cases[0]: path: "@x/health", want a path that begins with /`},
		{"a case whose rule is empty", `{` + rest + `"policy": ` + fmt.Sprintf(chain, "") + `, "cases": [{"name": "a", "at": "now", "rule": "", "expect": "certificate_missing"}]}`, `cases[0].rule: "" is read as if the member were missing`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := policyfile.Load(f.write("policy.json", tc.document), certauth.Config{})
			_, ok := errors.AsType[policyfile.Mistakes](err)
			require.True(t, ok, "%v", err)
			assert.Contains(t, err.Error(), tc.want)
		})
	}
}

// finding N60: of a setting whose reference App Service had not resolved, the mistake was that it contains no
// certificate, or none, and the reference was the secret.
func TestLoad_SaysThatAReferenceIsNotResolved(t *testing.T) {
	f := newFolder(t)
	for _, reference := range []string{"@Microsoft.KeyVault(VaultName=vault;SecretName=name)", "@Microsoft.AppConfiguration(Endpoint=https://store.azconfig.io; Key=name)"} {
		t.Setenv("NOT_RESOLVED", reference)
		const nginx = `{"nginx": {"from": {"sharedSecret": {"header": "X-Gate", "values": [{"env": "NOT_RESOLVED"}]}}}}`
		for _, document := range []string{
			`{"source": {"appService": {}}, "policy": {"certificates": {"env": "NOT_RESOLVED"}}}`,
			`{"source": {"appService": {}}, "policy": {"chain": {"roots": {"env": "NOT_RESOLVED"}}}}`,
			`{"source": {"appService": {}}, "policy": {"thumbprintsFrom": {"env": "NOT_RESOLVED"}}}`,
			`{"source": ` + nginx + `, "policy": {"chain": {"roots": {"pemFile": "a.pem"}}}}`,
		} {
			_, err := policyfile.Load(f.write("policy.json", document), certauth.Config{})
			require.Error(t, err, document)
			assert.Regexp(t, "App Service has not resolved|an unresolved reference", err.Error(), document)
		}
	}
}

// finding P2: an empty text, as in a template whose variable is not set, removed a requirement: the
// value of a verification, a fingerprint to compare, the header of a chain.
func TestLoad_RefusesAnEmptyTextThatMeansNoText(t *testing.T) {
	f := newFolder(t)
	const gate = `"from": {"insecureAnyPeer": {}}`
	for member, source := range map[string]string{
		"source.frontDoor.verifyValue":           `{"frontDoor": {` + gate + `, "profileID": "a", "format": "urlPEM", "verifyValue": ""}}`,
		"source.nginx.fingerprintHeader":         `{"nginx": {` + gate + `, "fingerprintHeader": ""}}`,
		"source.header.chainName":                `{"header": {` + gate + `, "name": "X-C", "format": "base64DER", "chainName": ""}}`,
		"source.header.require[0].value":         `{"header": {` + gate + `, "name": "X-C", "format": "base64DER", "require": [{"header": "X-V", "value": "", "absent": true}]}}`,
		"source.googleLB.verifiedHeader":         `{"googleLB": {` + gate + `, "verifiedHeader": ""}}`,
		"source.applicationGateway.verifyHeader": `{"applicationGateway": {` + gate + `, "verifyHeader": ""}}`,
	} {
		t.Run(member, func(t *testing.T) {
			_, err := policyfile.Load(f.write("policy.json", `{"policy": {"chain": {"roots": {"pemFile": "a.pem"}}}, "source": `+source+`}`), certauth.Config{})
			assert.ErrorContains(t, err, member+`: "" is read as if the member were missing; leave it out`)
		})
	}
	_, err := policyfile.Load(f.write("policy.json", `{"source": {"appService": {}}, "policy": {"chain": {"roots": {"pemFile": "a.pem"}}},
"exclusions": [{"path": "/health", "method": "", "reason": "r", "control": "c"}]}`), certauth.Config{})
	assert.ErrorContains(t, err, `exclusions[0].method: "" is read as if the member were missing`)
}

// The same characters written as escapes are visible to a reader, and have the meaning that JSON
// gives them.
func TestLoad_TakesCharactersThatAreWrittenAsEscapes(t *testing.T) {
	f := newFolder(t)
	path := f.write("policy.json", "{\r\n\t\"description\": \"a\\u200cb \\u00a0 é 漢 ⚠\ufe0f\",\r\n"+`"source": {"appService": {"insecureOutsideAppService": true}}, "policy": {"chain": {"roots": {"pemFile": "a.pem"}}}}`)
	doc, err := policyfile.Load(path, certauth.Config{})
	require.NoError(t, err)
	assert.Equal(t, "a\u200cb \u00a0 é 漢 ⚠\ufe0f", doc.Description, "the sign has another look with the character behind it")
	require.NoError(t, doc.Close())
}

// finding I17-4: it took hours or all memory to refuse an invalid document of a few megabytes,
// while Reload and Close waited.
func TestLoad_RefusesLargeDocumentsWithFewMistakes(t *testing.T) {
	f := newFolder(t)
	long := strings.Repeat("n", 1<<20)
	var members strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&members, `"m%d":1,`, i)
	}
	for _, tc := range []struct{ name, document, want string }{
		{"a mistake in each of many items", `{"policy": {"dnsNames": [0` + strings.Repeat(",0", 200_000) + `]}}`, `policy.dnsNames[0]: a number, want a string`},
		{"more values than anybody writes", `{"policy": {"dnsNames": [0` + strings.Repeat(",0", 1_000_000) + `]}}`, `more than 262144 values`},
		{"a long name above many items", `{"` + long + `": [0` + strings.Repeat(",0", 200_000) + `]}`, `"nnnn`},
		{"many pins that are none", `{"source": {"appService": {}}, "policy": {"thumbprints": ["a"` + strings.Repeat(`,"a"`, 200_000) + `]}}`, `policy.thumbprints[0]`},
		{"many cases without a name", `{"source": {"appService": {}}, "policy": {"chain": {"roots": {"pemFile": "a.pem"}}}, "cases": [` + strings.TrimSuffix(strings.Repeat(`{"name": "", "at": "now", "expect": "accepted"},`, 50_000), ",") + `]}`, `cases[0]: name: "", want a name`},
		{"many unknown members", `{` + strings.TrimSuffix(members.String(), ",") + `}`, `unknown member`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := policyfile.Load(f.write("policy.json", tc.document), certauth.Config{})
			mistakes, ok := errors.AsType[policyfile.Mistakes](err)
			require.True(t, ok, "%v", err)
			assert.LessOrEqual(t, len(mistakes), 100)
			assert.Less(t, len(err.Error()), 100_000)
			assert.Contains(t, err.Error(), tc.want)
		})
	}
}

// finding I17-5: the name of a member appeared unquoted in mistakes, which are written to terminals
// and logs.
func TestLoad_QuotesMemberNamesOfMistakes(t *testing.T) {
	f := newFolder(t)
	_, err := policyfile.Load(f.write("policy.json", `{"\u001b[2J\npolicy.json:1:1: all is well": 1}`), certauth.Config{})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "\x1b")
	assert.NotContains(t, err.Error(), "\npolicy.json:1:1: all is well")
	assert.Contains(t, err.Error(), `"\x1b[2J\npolicy.json:1:1: all is well": unknown member`)
}

// finding I17-6: a case showed a refusal because of missing evidence where the service, whose check
// has SoftFail, accepts the caller.
func TestRunCases_SoftFailAcceptsWhatItAcceptsInService(t *testing.T) {
	f := newFolder(t)
	for _, tc := range []struct{ settings, found, expect string }{
		{`{}`, "unavailable", "revocation_unavailable"},
		{`{"mode": "softFail"}`, "unavailable", "accepted"},
		{`{"mode": "softFail"}`, "unknown", "revocation_unknown"},
		{`{"mode": "softFail", "allowUnknown": true}`, "unknown", "accepted"},
		{`{"mode": "softFail", "allowUnknown": true}`, "revoked", "certificate_revoked"},
	} {
		t.Run(tc.settings+" finds "+tc.found, func(t *testing.T) {
			path := f.write("policy.json", `{"source": {"appService": {"insecureOutsideAppService": true}},
"policy": {"all": [{"chain": {"roots": {"pemFile": "a.pem"}}}, {"notRevoked": {"checker": "c"}}]}, "revocation": {"c": `+tc.settings+`},
"cases": [{"name": "a", "certificate": {"pemFile": "client-a.pem"}, "at": "now", "revocation": "`+tc.found+`", "expect": "`+tc.expect+`"}]}`)
			doc, err := policyfile.Load(path, certauth.Config{})
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, doc.Close()) })
			results, err := doc.RunCases(t.Context())
			require.NoError(t, err)
			require.Len(t, results, 1)
			assert.Empty(t, results[0].Failure)
		})
	}
}
