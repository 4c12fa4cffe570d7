package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// finding N30: recorded certificates in another form than base64 DER, such as PEM, were refused by both documents,
// so that a whole file of them ended with 0, for "nobody gains or loses".
func TestDiff_ARecordWithoutAReadableCertificateIsTwo(t *testing.T) {
	w := newWorld(t)
	client := w.issuing.Issue(t, "a", certauthtest.DNS("a.example"))
	old := w.named("old", `{"all": [`+chain+`, {"dnsNames": ["a.example"]}]}`)
	now := w.named("new", `{"all": [`+chain+`, {"dnsNames": ["b.example"]}]}`)
	good := fmt.Sprintf("{\"certificate\": %q}\n", client.Base64())
	for name, value := range map[string]string{
		"PEM": string(client.PEM()), "escaped": "MIIB%2B", "DER of something else": "MAA=", "nothing before a comma": "," + client.Base64(), "sent along": client.Base64() + ",MAA=",
	} {
		got := certauthRun(t, good+fmt.Sprintf("{\"certificate\": %q}\n", value), "diff", "-replay", "-", old, now)
		assert.Equal(t, exitFailed, got.code, "%s: %s", name, got.out)
		assert.Contains(t, got.errs, "-:2: ", name)
		assert.NotContains(t, got.errs, "MIIB", "the value is not repeated")
	}
}

// finding N31: a rule that was moved to another branch was "no difference", because each line was compared with all
// lines of the other document below branches of the same kind.
func TestDiff_ARuleInAnotherBranchIsADifference(t *testing.T) {
	const a, b, c = `{"dnsNames": ["a.example"]}`, `{"organizations": ["B"]}`, `{"dnsNames": ["c.example"]}`
	w := newWorld(t)
	branches := func(name, first, second string) string {
		return w.named(name, `{"any": [{"all": [`+chain+`, `+first+`]}, {"all": [`+chain+`, `+second+`]}]}`)
	}
	const above = "policy > any > all > organizations > "
	for _, row := range []struct {
		name           string
		old, now       string
		removed, added string
	}{
		{"moved", branches("1", a+", "+b, c), branches("2", a, b+", "+c), "- " + above + `"B"`, "+ " + above + `"B"`},
		{"one of two equal branches less", branches("3", a, a), w.named("4", `{"any": [{"all": [`+chain+`, `+a+`]}, `+chain+`]}`), "- policy > any > all\n", "+ policy > any > chain\n"},
	} {
		got := certauthRun(t, "", "diff", row.old, row.now)
		assert.Contains(t, got.out, row.removed, row.name)
		assert.Contains(t, got.out, row.added, row.name)
		assert.NotContains(t, got.out, "no difference", row.name)
	}
	got := certauthRun(t, "", "diff", branches("5", a+", "+b, c), branches("6", c, b+", "+a))
	assert.Equal(t, "no difference\n", got.out, "another order changes no decision")
}

// finding N32: a document that fails softly, or accepts certificates that name nobody to ask, ended with 0, as if
// nobody gained anything: every status was assumed to be good.
func TestDiff_AnotherRevocationCheckIsADifference(t *testing.T) {
	w := newWorld(t)
	document := func(dir, settings string) string {
		require.NoError(t, os.MkdirAll(w.path(dir), 0o700))
		for name, content := range map[string]string{"root.pem": string(w.root.PEM()), "issuing.pem": string(w.issuing.PEM()), "list.crl": ""} {
			w.write(dir+"/"+name, content)
		}
		return w.write(dir+"/policy.json", `{"source": {"appService": {}}, "policy": {"all": [`+chain+`, {"notRevoked": {"checker": "c"}}]},
			"revocation": {"c": {`+settings+`}}}`)
	}
	const settings = `"issuers": {"pemFile": "issuing.pem"}, "lists": [{"file": "list.crl"}]`
	old := document("old", settings)
	for name, change := range map[string]string{
		"soft fail": `"mode": "softFail", ` + settings, "no source": `"allowNoSource": true, ` + settings, "leaf only": `"scope": "leafOnly", ` + settings,
		"stale": `"staleGrace": "1d", ` + settings, "other issuers": `"issuers": {"pemFile": "root.pem"}, "lists": [{"file": "list.crl"}]`, "another list": `"issuers": {"pemFile": "issuing.pem"}, "lists": [{"file": "root.pem"}]`, "without the list": "",
	} {
		got := certauthRun(t, "", "diff", old, document("new", change))
		assert.Equal(t, exitNo, got.code, "%s: %s%s", name, got.out, got.errs)
		assert.Contains(t, got.out, "Different beside the policy: revocation.c.", name)
	}
	got := certauthRun(t, "", "diff", old, document("same", settings))
	assert.Equal(t, exitOK, got.code, got.out)
	assert.NotContains(t, got.out, "Different beside the policy")
}

// finding N33: a case was judged as if its certificate were not revoked, whatever status it names, and cases with
// headers, another path or no certificate were left out, so that a document without the check made no difference.
func TestDiff_JudgesEachCaseAsItsDocumentDoes(t *testing.T) {
	w := newWorld(t)
	client := w.issuing.Issue(t, "a", certauthtest.DNS("a.example"))
	w.write("client.pem", string(client.PEM()))
	document := func(name, policy, more string) string {
		return w.write(name, `{"source": {"appService": {}}, "policy": {"all": [`+chain+policy+`]}, "revocation": {"c": {}}`+more+`}`)
	}
	const check = `, {"notRevoked": {"checker": "c"}}`
	for _, row := range []struct{ name, one, want string }{
		{"revoked", `"certificate": {"pemFile": "client.pem"}, "revocation": "revoked", "expect": "certificate_revoked"`, "was certificate_revoked by Policy.All[1].NotRevoked\n    is  accepted\n"},
		{"in a header", `"headers": ["X-ARR-ClientCert: ` + client.Base64() + `"], "revocation": "unavailable", "expect": "revocation_unavailable"`, "was revocation_unavailable by Policy.All[1].NotRevoked\n    is  accepted\n"},
	} {
		old := document("old.json", check, `, "cases": [{"name": "one", "at": "now", `+row.one+`}]`)
		got := certauthRun(t, "", "diff", old, document("new.json", "", ""))
		assert.Equal(t, exitNo, got.code, "%s: %s%s", row.name, got.out, got.errs)
		assert.Contains(t, got.out, row.want, row.name)
	}
	got := certauthRun(t, "", "diff", "-revocation", "unavailable", w.path("old.json"), w.path("new.json"))
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.errs, "each case names its own status")
	old := document("old.json", "", `, "cases": [{"name": "probe", "at": "now", "path": "/health", "expect": "certificate_missing"}]`)
	got = certauthRun(t, "", "diff", old, document("new.json", "", `, "exclusions": [{"path": "/health", "reason": "probe", "control": "no data"}]`))
	assert.Contains(t, got.out, "  probe\n    was certificate_missing by ")
	assert.Contains(t, got.out, "    is  excluded\n")
}

// finding O27: a gate with another secret was no difference, because secrets are not printed and what is printed was
// compared.
func TestDiff_WhatIsNotPrintedIsADifference(t *testing.T) {
	t.Setenv("DIFF_OLD", "a secret of thirty-two bytes or more")
	t.Setenv("DIFF_NEW", "a secret of thirty-two bytes or more")
	w := newWorld(t)
	document := func(name, source, more string) string {
		return w.write(name, `{"source": `+source+`, "policy": `+chain+more+`}`)
	}
	const secret = `{"nginx": {"from": {"sharedSecret": {"header": "X-Gate", "values": [{"env": "%s"}]}}}}`
	const door = `{"frontDoor": {"from": {"peers": ["10.1.2.3"]}, "profileID": "00000000-0000-0000-0000-00000000000%d", "format": "urlPEM"}}`
	for name, row := range map[string][2]string{
		"secret":  {fmt.Sprintf(secret, "DIFF_OLD"), fmt.Sprintf(secret, "DIFF_NEW")},
		"profile": {fmt.Sprintf(door, 1), fmt.Sprintf(door, 2)},
	} {
		got := certauthRun(t, "", "diff", document("old.json", row[0], ""), document("new.json", row[1], ""))
		assert.Equal(t, exitNo, got.code, "%s: %s%s", name, got.out, got.errs)
		assert.Contains(t, got.out, "Different beside the policy: source.", name)
		assert.NotContains(t, got.out, "thirty-two", name)
	}
	// finding N68: with another interval a pin or a CA that is withdrawn stays accepted for as long.
	slow := certauthRun(t, "", "diff", document("old.json", `{"appService": {}}`, ""), document("new.json", `{"appService": {}}`, `, "reloadInterval": "30d"`))
	assert.Equal(t, exitNo, slow.code)
	assert.Contains(t, slow.out, "Different beside the policy: reloadInterval.")
	same := certauthRun(t, "", "diff", document("old.json", `{"appService": {}}`, ""), document("new.json", `{ "appService": {} }`, `, "optional": false, "cacheSize": 5, "description": "d"`))
	assert.Equal(t, run{exitOK, "no difference\n", ""}, same)
}

// finding P30: another pin, another serial number or another CA was "no difference", because pins are not printed, and
// of two documents what is printed was compared. So was another certificate behind the same name of a file.
func TestDiff_APinThatIsReplacedIsADifference(t *testing.T) {
	w := newWorld(t)
	pin := func(c string, bytes int) string { return `"` + strings.Repeat(c, bytes) + `"` }
	const all = `{"all": [` + chain + `, %s]}`
	for _, row := range []struct{ policy, old, now, place string }{
		{`{"thumbprints": [` + pin("ab", 32) + `, %s]}`, pin("cd", 32), pin("ef", 32), "policy > thumbprints > "},
		{`{"publicKeys": [` + pin("ab", 32) + `, %s]}`, pin("cd", 32), pin("ef", 32), "policy > publicKeys > "},
		{`{"thumbprintsSHA1": [%s]}`, pin("cd", 20), pin("ef", 20), "policy > thumbprintsSHA1 > "},
		{`{"certificates": {"pemFile": %s}}`, `"root.pem"`, `"issuing.pem"`, `policy > certificates > pemFile: `},
		{fmt.Sprintf(all, `{"denied": {"publicKeys": [%s]}}`), pin("cd", 32), pin("ef", 32), "policy > all > denied > publicKeys > "},
		{fmt.Sprintf(all, `{"denied": {"serials": [{"issuer": "CN=a", "serial": %s}]}}`), `"01"`, `"02"`, `policy > all > denied > serials > {"issuer":"CN=a","serial":`},
		{fmt.Sprintf(all, `{"issuedBy": {"publicKeys": [%s]}}`), pin("cd", 32), pin("ef", 32), "policy > all > issuedBy > publicKeys > "},
		{fmt.Sprintf(all, `{"not": {"policy": {"commonNames": [%s]}}}`), `"a"`, `"b"`, "policy > all > not > commonNames > "},
	} {
		got := certauthRun(t, "", "diff", w.named("old", fmt.Sprintf(row.policy, row.old)), w.named("new", fmt.Sprintf(row.policy, row.now)))
		assert.Contains(t, got.out, "- "+row.place+row.old, row.policy)
		assert.Contains(t, got.out, "+ "+row.place+row.now, row.policy)
		assert.Equal(t, 2, strings.Count(got.out, "\n"), got.out)
	}

	require.NoError(t, os.Mkdir(w.path("new"), 0o700))
	w.write("new/issuing.pem", string(w.issuing.PEM()))
	w.write("new/root.pem", string(certauthtest.NewCA(t, "Another Root").PEM()))
	got := certauthRun(t, "", "diff", w.policy(chain), w.named("new/policy", chain))
	assert.Contains(t, got.out, `- root: "CN=Partner Root,O=certauthtest"`)
	assert.Contains(t, got.out, `+ root: "CN=Another Root,O=certauthtest"`)
	assert.NotContains(t, got.out, "intermediate", "the same certificate in another folder")
}

// finding N50: a document that lets more callers in ended with 0, "nobody gains or loses", if no case and no recorded
// certificate shows it. Who gains may never have come before.
func TestDiff_ARuleThatDiffersIsOneWithoutACaseThatShowsIt(t *testing.T) {
	w := newWorld(t)
	record := fmt.Sprintf("{\"certificate\": %q}\n", w.issuing.Issue(t, "a", certauthtest.DNS("a.example")).Base64())
	narrow := w.named("narrow", `{"all": [`+chain+`, {"dnsNames": ["a.example"]}]}`)
	wide := w.named("wide", `{"all": [`+chain+`, {"dnsNames": ["a.example", "*.evil.example"]}]}`)
	for name, args := range map[string][]string{
		"without cases":      {"diff", narrow, wide},
		"in the other order": {"diff", wide, narrow},
		"replayed":           {"diff", "-replay", "-", narrow, wide},
		"JSON":               {"diff", "-json", narrow, wide},
		"a root more":        {"diff", w.named("one", chain), w.named("two", `{"any": [`+chain+`, {"chain": {"roots": {"pemFile": "issuing.pem"}}}]}`)},
	} {
		got := certauthRun(t, record, args...)
		assert.Equal(t, exitNo, got.code, "%s: %s%s", name, got.out, got.errs)
	}
	assert.Equal(t, exitOK, certauthRun(t, record, "diff", "-replay", "-", narrow, narrow).code)
}

// finding N61: of files that have the same name in the directories of both documents, only the roots and intermediates
// were compared, each with those of all chains, so that other pins, another secret, another issuing CA, the CA of a
// revocation check, or the CAs of two partners in each other's place were "no difference".
func TestDiff_AnotherContentBehindTheSameNameIsADifference(t *testing.T) {
	const nginx = `{"nginx": {"from": {"sharedSecret": {"header": "X-Gate", "values": [{"file": "a"}]}}}}`
	const partners = `{"any": [{"all": [{"chain": {"roots": {"pemFile": "a"}}}, {"dnsNames": ["a.example"]}]}, {"all": [{"chain": {"roots": {"pemFile": "b"}}}, {"dnsNames": ["b.example"]}]}]}`
	w := newWorld(t)
	one, other := string(w.root.PEM()), string(certauthtest.NewCA(t, "Another Root").PEM())
	for name, row := range map[string]struct {
		source, policy, more string
		old, now             [2]string // contents of the files a and b
	}{
		"pins":             {`{"appService": {}}`, `{"thumbprintsFrom": {"file": "a"}}`, "", [2]string{strings.Repeat("ab", 32)}, [2]string{strings.Repeat("cd", 32)}},
		"a secret":         {nginx, `{"chain": {"roots": {"pemFile": "b"}}}`, "", [2]string{"sixteen bytes or more", one}, [2]string{"another, just as long", one}},
		"an issuing CA":    {`{"appService": {}}`, `{"all": [{"chain": {"roots": {"pemFile": "b"}}}, {"issuedBy": {"certificates": {"pemFile": "a"}}}]}`, "", [2]string{one, one}, [2]string{other, one}},
		"a pin":            {`{"appService": {}}`, `{"certificates": {"pemFile": "a"}}`, "", [2]string{one}, [2]string{other}},
		"a check":          {`{"appService": {}}`, `{"chain": {"roots": {"pemFile": "b"}}}`, `, "revocation": {"lists": {"lists": [{"dir": "lists"}], "issuers": {"certFile": "a"}}}`, [2]string{one, one}, [2]string{other, one}},
		"partners' places": {`{"appService": {}}`, partners, "", [2]string{one, other}, [2]string{other, one}},
	} {
		w.dir = t.TempDir()
		document := func(dir string, contents [2]string) string {
			require.NoError(t, os.MkdirAll(w.path(dir+"/lists"), 0o700))
			w.write(dir+"/a", contents[0])
			w.write(dir+"/b", contents[1])
			return w.write(dir+"/policy.json", `{"source": `+row.source+`, "policy": `+row.policy+row.more+`}`)
		}
		old := document("old", row.old)
		got := certauthRun(t, "", "diff", old, document("new", row.now))
		assert.Equal(t, exitNo, got.code, "%s: %s%s", name, got.out, got.errs)
		assert.Contains(t, got.out, `Different content behind the same name: "a"`, name)
		assert.NotContains(t, got.out, "just as long", name)
		same := certauthRun(t, "", "diff", old, document("same", row.old))
		assert.Equal(t, run{exitOK, "no difference\n", ""}, same, name)
	}

	w.dir = t.TempDir()
	lists := `{"source": {"appService": {}}, "policy": {"thumbprints": ["` + strings.Repeat("ab", 32) + `"]}, "revocation": {"lists": {"lists": [{"dir": "lists"}], "issuers": {"pem": ` + fmt.Sprintf("%q", one) + `}}}}`
	var documents []string
	for dir, content := range map[string]string{"old": "1", "new": "2"} {
		require.NoError(t, os.MkdirAll(w.path(dir+"/lists"), 0o700))
		w.write(dir+"/lists/a.crl", content)
		documents = append(documents, w.write(dir+"/policy.json", lists))
	}
	assert.Contains(t, certauthRun(t, "", "diff", "-json", documents[0], documents[1]).out, `"contents": [`)
}
