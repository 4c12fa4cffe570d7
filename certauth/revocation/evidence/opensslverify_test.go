package evidence_test

import (
	"bytes"
	"crypto"
	"encoding/pem"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// traits are the unusual properties of a generated list or certificate.
type traits map[string]bool

// allowedDifference is a case in which the results of VerifyCRL and openssl verify -crl_check may
// differ, and the reason why ours is right.
type allowedDifference struct {
	trait        string
	ours, theirs string
	because      string
}

var allowedDifferences = []allowedDifference{
	{"run out within the skew", saysGood, saysRefused, "RFC 5280, section 6.3.3 (a): current time; clocks may differ by VerifyOptions.Skew"},
	{"of a moment ahead", saysGood, saysRefused, "RFC 5280, section 5.1.2.4; clocks may differ by VerifyOptions.Skew"},
	{"run out within the skew", saysRevoked, saysRefused, "the same; a revocation counts as well"},
	{"of a moment ahead", saysRevoked, saysRefused, "the same; a revocation counts as well"},
	{"40 days old", saysRefused, saysGood, "RFC 5280, section 6.3.3 (a) leaves local policy to us: VerifyOptions.MaxAge"},
	{"40 days old", saysRefused, saysRevoked, "the same; StaleRevoked denies under every Config"},
	{"without nextUpdate", saysRefused, saysGood, "RFC 5280, section 5.1.2.5: MUST be there; AllowNoNextUpdate"},
	{"without nextUpdate", saysRefused, saysRevoked, "the same"},
	{"version 1", saysRefused, saysGood, "RFC 5280, section 5.1.2.1: MUST be v2; AllowV1CRL"},
	{"version 1", saysRefused, saysRevoked, "the same"},
	{"empty revokedCertificates", saysRefused, saysGood, "RFC 5280, section 5.1.2.6: MUST be absent; AllowEmptyRevokedList"},
	{"removeFromCRL", saysRefused, saysGood, "RFC 5280, section 5.3.1: only in delta CRLs"},
	{"SHA-1", saysRefused, saysGood, "RFC 6194, section 3: not for new signatures; AllowSHA1"},
	{"SHA-1", saysRefused, saysRevoked, "the same"},
	{"another key identifier", saysGood, saysRefused, "RFC 5280, section 5.2.1: a means of identifying the key; the signature verifies"},
	{"another key identifier", saysRevoked, saysRefused, "the same"},
	{"for the CA's own name", saysGood, saysRefused, "RFC 5280, section 6.3.3, last paragraph"},
	{"for the CA's own name", saysRevoked, saysRefused, "the same"},
	{"a point of some reasons", saysGood, saysRefused, "RFC 5280, section 6.3.3, last paragraph: a list that names no point is for all reasons"},
	{"a point of some reasons", saysRevoked, saysRefused, "the same"},
	{"some reasons", saysRevoked, saysRefused, "RFC 5280, section 6.3.3 (j): an entry that is there counts"},
	{"an entry of another issuer", saysRefused, saysGood, "RFC 5280, section 5.3.3: certificateIssuer is for indirect CRLs alone"},
	{"an entry of another issuer", saysRefused, saysRevoked, "the same"},
	{"a delta", saysRefused, saysGood, "RFC 5280, section 5.2.4: a delta says nothing without the list that it continues"},
	{"a delta", saysRefused, saysRevoked, "the same"},
}

const saysRefused = "refused"

// TestVerifyCRL_AgainstOpenSSL compares VerifyCRL with openssl verify -crl_check for lists and
// certificates that are mostly correct. CERTAUTH_SEED repeats a run; CERTAUTH_EXHAUSTIVE=1 makes
// 2000.
func TestVerifyCRL_AgainstOpenSSL(t *testing.T) {
	program := findOpenSSL(t)
	seed := rand.Uint64()
	if text := os.Getenv("CERTAUTH_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("CERTAUTH_SEED=%d", seed)
	g := &generator{random: rand.New(rand.NewPCG(seed, 0))}
	s := newScene(t)
	program.write(t, "root.pem", pemOf("CERTIFICATE", s.root.cert.Raw))
	program.write(t, "ca.pem", pemOf("CERTIFICATE", s.ca.cert.Raw))
	outcomes, count := map[string]int{}, 120
	if os.Getenv("CERTAUTH_EXHAUSTIVE") == "1" {
		count = 2000
	}
	for n := range count {
		g.has = traits{}
		client := g.client(t, s)
		der := encode(t, g.list(t, s, client))
		program.write(t, "client.pem", pemOf("CERTIFICATE", client.cert.Raw))
		program.write(t, "list.pem", pemOf("X509 CRL", der))
		ours, theirs := saysRefused, verifyByOpenSSL(t, program)
		result, err := evidence.VerifyCRL(der, client.cert, s.ca.cert, at(now))
		switch {
		case err == nil && result.Status == evidence.Good:
			ours = saysGood
		case err == nil && result.Status == evidence.Revoked:
			ours = saysRevoked
		}
		require.False(t, ours == saysGood && theirs == saysRevoked, "list %d of seed %d, %v: a revoked certificate is accepted", n, seed, g.has)
		outcomes[ours]++
		if ours == theirs {
			continue
		}
		allowed := slices.ContainsFunc(allowedDifferences, func(d allowedDifference) bool {
			return g.has[d.trait] && d.ours == ours && d.theirs == theirs
		})
		require.True(t, allowed, "list %d of seed %d, %v: we say %s (%v), openssl %s", n, seed, g.has, ours, err, theirs)
	}
	t.Log(outcomes)
	require.NotZero(t, outcomes[saysGood])
	require.NotZero(t, outcomes[saysRevoked])
	require.NotZero(t, outcomes[saysRefused])
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

var verifyError = regexp.MustCompile(`error (\d+) at \d+ depth`)

func verifyByOpenSSL(t *testing.T, program *openssl) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), program.path, "verify", "-crl_check", "-attime", strconv.FormatInt(now.Unix(), 10),
		"-CAfile", "root.pem", "-untrusted", "ca.pem", "-CRLfile", "list.pem", "client.pem")
	command.Dir = program.folder
	output, err := command.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil && bytes.Contains(output, []byte("client.pem: OK")):
		return saysGood
	case errors.As(err, &exit) && exit.ExitCode() > 0: // it continues after some errors
		for _, found := range verifyError.FindAllSubmatch(output, -1) {
			if string(found[1]) != "23" { // X509_V_ERR_CERT_REVOKED
				return saysRefused
			}
		}
		if verifyError.Match(output) {
			return saysRevoked
		}
		return saysRefused
	}
	require.NoError(t, err, "%s in %s: %s", program.path, filepath.Base(program.folder), output)
	return ""
}

// generator makes lists and certificates and records their unusual properties.
type generator struct {
	random *rand.Rand
	has    traits
}

// one chooses the usual value in most cases.
func (g *generator) one(traits ...string) string {
	if g.random.IntN(14) > 0 {
		return ""
	}
	trait := traits[g.random.IntN(len(traits))]
	g.has[trait] = true
	return trait
}

func (g *generator) client(t *testing.T, s *scene) *identity {
	t.Helper()
	reason := ocsptest.Reasons(ocsptest.Context(1), 1)
	var points change
	switch g.random.IntN(5) {
	case 0:
		points = noExtras
	case 1:
		g.has["two points"] = true
		points = extra(ocsptest.DistributionPoints(ocsptest.Point(uri(shardB)), ocsptest.Point(uri(shardA))))
	case 2:
		if g.one("a point of some reasons") != "" {
			points = point(uri(shardA), reason)
			break
		}
		fallthrough
	default:
		points = point(uri(shardA))
	}
	return makeCert(t, "client", newKey(t), s.ca, asClient, points)
}

func (g *generator) list(t *testing.T, s *scene, client *identity) ocsptest.List {
	t.Helper()
	l := s.list()
	switch g.one("of another issuer", "in other spelling") {
	case "of another issuer":
		l.Issuer = s.root.cert.RawSubject
	case "in other spelling":
		l.Issuer = replaceOnce(t, l.Issuer, []byte("Clients CA"), []byte("CLIENTS ca"))
	}
	switch g.one("signed by another key", "signed by the client", "forged", "SHA-1") {
	case "signed by another key":
		l.Key = newKey(t)
	case "signed by the client":
		l.Key = client.key
	case "forged":
		l.Forge = func(tbs []byte) []byte { return bytes.Replace(tbs, []byte("Clients"), []byte("clients"), 1) }
		g.has["in other spelling"] = true
	case "SHA-1":
		l.Algorithm = ocsptest.ECDSA(crypto.SHA1)
	}
	issued, ends := now.Add(-time.Hour), now.Add(day)
	switch g.one("40 days old", "of tomorrow", "of a moment ahead") {
	case "40 days old":
		issued = now.Add(-40 * day)
	case "of tomorrow":
		issued, ends = now.Add(day), now.Add(2*day)
	case "of a moment ahead":
		issued = now.Add(4 * time.Minute)
	}
	l.ThisUpdate = ocsptest.UTCAt(issued)
	l.NextUpdate = ocsptest.UTCAt(ends)
	switch g.one("without nextUpdate", "run out", "run out within the skew") {
	case "without nextUpdate":
		l.NextUpdate = nil
	case "run out":
		l.NextUpdate = ocsptest.UTCAt(now.Add(-10 * time.Minute))
	case "run out within the skew":
		l.NextUpdate = ocsptest.UTCAt(now.Add(-2 * time.Minute))
	}
	g.entries(&l, s, client)
	g.extensions(&l, s)
	if g.one("version 1") != "" {
		l.NoVersion, l.Extensions = true, nil
		for i := range l.Entries {
			l.Entries[i].Extensions = nil
		}
	}
	return l
}

func (g *generator) entries(l *ocsptest.List, s *scene, client *identity) {
	unknown := ocsptest.Extension{OID: []int{1, 3, 6, 1, 4, 1, 55555, 2}, Critical: true, Value: []byte{5, 0}}
	switch g.random.IntN(4) {
	case 0:
		l.Entries = append(l.Entries, entryFor(client))
	case 1:
		if g.one("on hold", "removeFromCRL") == "removeFromCRL" {
			l.Entries = append(l.Entries, entryFor(client, ocsptest.ReasonCode(8)))
		} else {
			l.Entries = append(l.Entries, entryFor(client, ocsptest.ReasonCode(6)))
		}
	}
	switch g.one("no entries", "empty revokedCertificates", "an unknown critical extension in an entry", "an entry of another issuer") {
	case "no entries":
		l.Entries = nil
	case "empty revokedCertificates":
		l.Entries, l.WithEmpty = nil, true
	case "an unknown critical extension in an entry":
		l.Entries = append(l.Entries, entryFor(s.other, unknown))
	case "an entry of another issuer":
		l.Entries = append(l.Entries, entryFor(s.other, ocsptest.Extension{
			OID: []int{2, 5, 29, 29}, Critical: true, Value: ocsptest.Element(ocsptest.TagSequence, directory(s.root.cert.RawSubject)),
		}))
	}
}

func (g *generator) extensions(l *ocsptest.List, s *scene) {
	switch g.one("without key identifier", "another key identifier") {
	case "without key identifier":
		l.Extensions = l.Extensions[1:]
	case "another key identifier":
		l.Extensions[0] = ocsptest.AuthorityKeyID([]byte("by another method..."))
	}
	switch g.one("an unknown critical extension", "an unknown extension", "a delta") {
	case "an unknown critical extension":
		l.Extensions = append(l.Extensions, ocsptest.Extension{OID: []int{1, 3, 6, 1, 4, 1, 55555, 1}, Critical: true, Value: []byte{5, 0}})
	case "an unknown extension":
		l.Extensions = append(l.Extensions, ocsptest.Extension{OID: []int{1, 3, 6, 1, 4, 1, 55555, 1}, Value: []byte{5, 0}})
	case "a delta":
		l.Extensions = append(l.Extensions, ocsptest.DeltaIndicator(5))
	}
	if g.random.IntN(3) > 0 {
		return
	}
	points := map[string][]byte{
		"for shard A": uri(shardA), "for shard B": uri(shardB), "for another shard": uri("http://crl.example/z.crl"),
		"for the CA's own name": ocsptest.FullName(directory(s.ca.cert.RawSubject)), "for another CA's name": ocsptest.FullName(directory(s.root.cert.RawSubject)),
		"users alone": ocsptest.Flag(1), "CAs alone": ocsptest.Flag(2), "indirect": ocsptest.Flag(4), "attribute certificates alone": ocsptest.Flag(5),
		"some reasons": ocsptest.Reasons(ocsptest.Context(3), 1),
	}
	var names []string
	for name := range points {
		names = append(names, name)
	}
	slices.Sort(names)
	name := names[g.random.IntN(len(names))]
	g.has[name] = true
	l.Extensions = append(l.Extensions, ocsptest.IssuingPoint(points[name]))
}

func (t traits) String() string {
	var names []string
	for name := range t {
		names = append(names, name)
	}
	slices.Sort(names)
	return fmt.Sprintf("[%s]", strings.Join(names, "; "))
}
