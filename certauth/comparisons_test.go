package certauth_test

import (
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/internal/interleave"
)

// comparison is one group of things that are measured in the same rounds, and what each may
// cost in relation to the first.
type comparison struct {
	name  string
	title string
	cases []interleave.Case
	limit map[string]float64 // by the name of the case: at most
}

const (
	rounds = 21
	slice  = 15 * time.Millisecond
)

func (c comparison) measure() []interleave.Result {
	return interleave.Measure(rounds, slice, c.cases...)
}

// hits compares a known caller's request, one of so many, with bare WithContext(WithValue),
// and with the same checks by hand.
func hits(tb testing.TB, kind string, identities int) comparison {
	tb.Helper()
	b := newBench(tb, kind, identities)
	next := http.HandlerFunc(finalWithIdentity)
	all := b.headers
	warm := func(h http.Handler, headers []string) func(int) {
		run := serve(tb, h, headers...)
		run(6 * len(headers))
		return run
	}
	revocation := b.auth(tb, func(c *certauth.Config) {
		c.Policy = b.policy(certauth.NotRevoked{Checker: &tracker{now: certauth.RevocationGood}})
	})
	byAddress := b.auth(tb, func(c *certauth.Config) {
		c.Source = forwarded.Header{From: forwarded.Peers("10.0.0.0/8", "fd00::/8", "127.0.0.1"), Name: "X-ARR-ClientCert", Format: forwarded.FormatBase64DER}
	})
	off := b.auth(tb, func(c *certauth.Config) { c.CacheSize = -1 })
	check, r := b.auth(tb), realRequest(tb)
	r.Header[certHeader] = all[:1]
	most := 2.2
	if identities > 1 {
		most = 2.8
	}
	return comparison{
		name: fmt.Sprintf("Hit/%s/%d", kind, identities), title: fmt.Sprintf("a known caller, %s, one of %d", kind, identities),
		cases: []interleave.Case{
			{Name: "WithContext(WithValue)", Run: serve(tb, bare(http.HandlerFunc(final)), all...)},
			{Name: "hit", Run: warm(b.auth(tb).Handler(next), all)},
			{Name: "hit, gate on an address", Run: warm(byAddress.Handler(next), all)},
			{Name: "hit, revocation known", Run: warm(revocation.Handler(next), all)},
			{Name: "Check alone", Run: func(n int) {
				for range n {
					_, _ = check.Check(r)
				}
			}},
			{Name: "without the cache", Run: serve(tb, off.Handler(next), all...)},
			{Name: "parse and pin by hand", Run: serve(tb, b.pinByHand(http.HandlerFunc(final)), all...)},
			{Name: "everything by hand", Run: serve(tb, b.byHand(http.HandlerFunc(final)), all...)},
		},
		limit: map[string]float64{"hit": most, "hit, revocation known": max(most, 2.6)},
	}
}

// misses compares a certificate that was never seen with the same checks by hand, and what
// is refused with what is accepted.
func misses(tb testing.TB, kind string, identities int) comparison {
	tb.Helper()
	b := newBench(tb, kind, identities)
	next := http.HandlerFunc(finalWithIdentity)
	forgetful := func(c *certauth.Config) { c.CacheSize = 1 } // remembers, and has always just forgotten
	der := b.leaves[0].Raw
	noise := func(n int) string {
		raw := make([]byte, n)
		_, _ = rand.Read(raw)
		return base64.StdEncoding.EncodeToString(raw)
	}
	// dressed is noise behind the header of a sequence of just this length.
	dressed := func(n int) string {
		raw := make([]byte, n)
		_, _ = rand.Read(raw)
		copy(raw, []byte{0x30, 0x82, byte((n - 4) >> 8), byte(n - 4)})
		return base64.StdEncoding.EncodeToString(raw)
	}
	forged := newBench(tb, kind, 1)
	forger := create(tb, b.leaves[0], &x509.Certificate{RawSubject: b.issuing.RawSubject, SubjectKeyId: b.issuing.SubjectKeyId, PublicKey: forged.issuingKey.Public()}, forged.leafKey.Public(), forged.issuingKey)
	stranger := certauthtest.NewCA(tb, "Stranger CA").Issue(tb, "client", certauthtest.DNS("billing.partner.example"))
	pinned := b.auth(tb, func(c *certauth.Config) {
		c.Policy = certauth.All{certauth.Thumbprints{pinOfNobody}, b.chain(), certauth.DNSNames{"billing.partner.example"}}
	})
	plain := b.auth(tb)
	// The decision alone: what a refusal costs to answer is the same for all.
	check := func(auth *certauth.Authenticator, headers ...string) func(int) {
		return serve(tb, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, errSink = auth.Check(r) }), headers...)
	}
	accepted, refused := 0.65, 0.6
	if kind == "rsa2048" {
		accepted, refused = 0.75, 0.7
	}
	return comparison{
		name: "Miss/" + kind, title: "a new certificate, " + kind,
		cases: []interleave.Case{
			{Name: "everything by hand", Run: serve(tb, b.byHand(http.HandlerFunc(final)), b.headers...)},
			{Name: "accepted", Run: check(b.auth(tb, forgetful), b.headers...)},
			{Name: "accepted, the whole request", Run: serve(tb, b.auth(tb, forgetful).Handler(next), b.headers...)},
			{Name: "too long", Run: check(plain, strings.Repeat("A", 17<<10))},
			{Name: "not base64", Run: check(plain, "?"+b.headers[0][1:])},
			{Name: "garbage", Run: check(plain, noise(len(der)))},
			{Name: "garbage of 8 KiB", Run: check(plain, noise(6<<10))},
			{Name: "garbage like a sequence", Run: check(plain, dressed(len(der)))},
			{Name: "pin mismatch", Run: check(pinned, b.headers[0])},
			{Name: "unknown issuer", Run: check(plain, stranger.Base64())},
			{Name: "forged CA name", Run: check(plain, base64.StdEncoding.EncodeToString(forger.Raw))},
		},
		limit: map[string]float64{
			"accepted, the whole request": accepted, "forged CA name": refused, "unknown issuer": 0.12,
			"too long": 0.003, "not base64": 0.01, "garbage": 0.03, "garbage of 8 KiB": 0.06, "garbage like a sequence": 0.03, "pin mismatch": 0.03,
		},
	}
}

// pinByHand is decode, parse and a pin, without a chain.
func (b *bench) pinByHand(next http.Handler) http.Handler {
	pins := map[[20]byte]bool{}
	for _, leaf := range b.leaves {
		pins[sha1.Sum(leaf.Raw)] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		der, err := base64.StdEncoding.DecodeString(r.Header.Get("X-ARR-ClientCert"))
		if err != nil {
			panic(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil || !pins[sha1.Sum(cert.Raw)] {
			panic("refused")
		}
		next.ServeHTTP(w, r)
	})
}

// sameNames compares a hundred roots of one name with one.
func sameNames(tb testing.TB) comparison {
	tb.Helper()
	var roots []*certauthtest.CA
	for range 100 {
		roots = append(roots, certauthtest.NewCA(tb, "Re-keyed CA"))
	}
	client := roots[50].Issue(tb, "client")
	auth := func(roots ...*certauthtest.CA) *certauth.Authenticator {
		made, err := certauth.New(certauth.Config{
			Source: forwarded.AppService{InsecureOutsideAppService: true}, Policy: chainOf(roots...), CacheSize: -1,
		})
		require.NoError(tb, err)
		return made
	}
	next := http.HandlerFunc(finalWithIdentity)
	return comparison{
		name: "Roots", title: "roots of one name",
		cases: []interleave.Case{
			{Name: "1 root", Run: serve(tb, auth(roots[50]).Handler(next), client.Base64())},
			{Name: "100 roots", Run: serve(tb, auth(roots...).Handler(next), client.Base64())},
		},
		limit: map[string]float64{"100 roots": 2},
	}
}
