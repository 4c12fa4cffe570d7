package certauth_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// tracker is a checker whose answer is set by the test.
type tracker struct {
	now     certauth.RevocationStatus
	checked int
	broken  bool
	chains  [][]*x509.Certificate
}

func (k *tracker) CheckChain(_ context.Context, chain []*x509.Certificate) (certauth.Revocation, error) {
	k.checked++
	k.chains = append(k.chains[:0], chain)
	if k.broken {
		panic("tracker")
	}
	return certauth.Revocation{Status: k.now, Source: "test"}, nil
}

// A revocation takes effect on the very next request, even for a remembered caller.
func TestNotRevoked_IsAskedOnEveryRequest(t *testing.T) {
	w := newWorld(t)
	table := map[string]*x509.Certificate{"a|": w.leaf.Certificate, "stranger|": newWorld(t).leaf.Certificate}
	const good, revoked = certauth.RevocationGood, certauth.RevocationRevoked
	for name, config := range map[string]func(*certauth.Config){
		"with a cache":    func(*certauth.Config) {},
		"without a cache": func(c *certauth.Config) { c.CacheSize = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			k := &tracker{now: good}
			c := newCached(t, meaning(table), w.behind(certauth.NotRevoked{Checker: k}), config)
			for i := range 5 {
				assert.Equal(t, good, c.once(t, certauth.ReasonNone, "a").Revocation.Status)
				assert.Equal(t, i+1, k.checked)
			}
			k.now = revoked
			c.once(t, certauth.ReasonCertificateRevoked, "a")
			k.now = certauth.RevocationUnknown
			c.once(t, certauth.ReasonRevocationUnknown, "a")
			k.now = certauth.RevocationUnavailable
			c.once(t, certauth.ReasonRevocationUnavailable, "a")
			k.now, k.broken = good, true
			c.once(t, certauth.ReasonInternalError, "a")
			k.broken = false
			c.once(t, certauth.ReasonNone, "a")
			assert.Equal(t, 10, k.checked)
			c.judge(t, certauth.ReasonChainUntrusted, "stranger")
			assert.Equal(t, 10, k.checked, "never for a chain that has not verified")
			assert.Equal(t, [][]*x509.Certificate{{w.leaf.Certificate, w.ca.Certificate}}, k.chains)
		})
	}
	t.Run("by each rule", func(t *testing.T) {
		k, other := &tracker{now: good}, &tracker{now: good}
		c := newCached(t, meaning(table), w.behind(certauth.NotRevoked{Checker: k}, certauth.NotRevoked{Checker: other}))
		c.once(t, certauth.ReasonNone, "a")
		other.now = revoked
		c.once(t, certauth.ReasonCertificateRevoked, "a")
		assert.Equal(t, []int{2, 2}, []int{k.checked, other.checked})
	})
}

// policies returns a table of policies for a client of w, with names, and one that is refused.
func policies(t *testing.T, w, stranger world) map[string]certauth.Policy {
	t.Helper()
	leaf := w.leaf.Certificate
	named := func(name string, policy certauth.Policy) certauth.Policy {
		return certauth.Named{Name: name, Policy: policy}
	}
	billing, nobody := certauth.DNSNames{"billing.partner.example"}, certauth.DNSNames{"nobody.example"}
	return map[string]certauth.Policy{
		"chain":                        w.chain(),
		"chain, key, name":             w.behind(certauth.PublicKeys{spkiPin(leaf)}, billing),
		"pin, name":                    certauth.All{certauth.Thumbprints{thumbprint(leaf)}, certauth.Organizations{"certauthtest"}},
		"sha1":                         certauth.ThumbprintsSHA1{w.leafSHA1()},
		"exact":                        certauth.Certificates(leaf),
		"key only":                     certauth.PublicKeys{spkiPin(leaf)},
		"wildcard":                     w.behind(certauth.DNSNames{"*.partner.example"}),
		"no such name":                 w.behind(nobody),
		"no such pin":                  w.behind(certauth.Thumbprints{pinOfNobody}),
		"not":                          w.behind(certauth.Not{Policy: certauth.Any{nobody, certauth.CommonNames{"nobody"}}}),
		"not, refused":                 w.behind(certauth.Not{Policy: certauth.Any{nobody, billing}}),
		"any of pins":                  certauth.Any{certauth.Thumbprints{pinOfNobody}, certauth.Thumbprints{thumbprint(leaf)}},
		"any of strangers":             certauth.Any{certauth.Thumbprints{pinOfNobody}, stranger.chain(), w.behind(nobody)},
		"roles":                        w.behind(certauth.Any{named("none", nobody), named("billing", billing), named("all", certauth.CommonNames{"client"})}, certauth.Matched{"billing"}),
		"roles of chains":              certauth.Any{named("theirs", stranger.chain()), named("ours", w.behind(billing)), named("key", certauth.PublicKeys{spkiPin(leaf)})},
		"any within any":               w.behind(certauth.Any{certauth.Any{nobody, named("x", nobody)}, certauth.Any{named("y", nobody), certauth.All{billing, named("z", billing)}}}),
		"any within any, refused":      w.behind(certauth.Any{certauth.Any{nobody, certauth.CommonNames{"a"}}, certauth.Any{nobody, certauth.Not{Policy: billing}}}),
		"names of all kinds":           w.behind(certauth.Any{certauth.IPs{"10.0.0.0/8"}, certauth.Emails{"@a.example"}, certauth.URIs{"https://a.example"}, certauth.UPNs{"a@b"}, certauth.SPIFFEIDs{"spiffe://a"}, certauth.Subject{"CN=x"}, certauth.IssuerName{"CN=x"}, billing}),
		"subject":                      w.behind(certauth.Subject{"CN=client,O=certauthtest"}, certauth.IssuerName{"CN=Test Root CA,O=certauthtest"}),
		"issued by":                    w.behind(certauth.IssuedBy{PublicKeys: []string{spkiPin(w.ca.Certificate)}}),
		"issued by another":            w.behind(certauth.IssuedBy{Certificates: certsOf(stranger.ca)}),
		"denied":                       w.behind(certauth.Denied{PublicKeys: []string{spkiPin(stranger.leaf.Certificate)}, Serials: []certauth.IssuerSerial{{Issuer: "CN=x", Serial: "01"}}}),
		"denied CA":                    w.behind(certauth.Denied{PublicKeys: []string{spkiPin(w.ca.Certificate)}}),
		"keys, validity, skew":         w.behind(certauth.Keys{MinECBits: 256}, certauth.Validity{ClockSkew: time.Minute, MinRemaining: time.Hour}),
		"extension":                    w.behind(certauth.Extension{OID: "2.5.29.17", Present: true}),
		"no such extension":            w.behind(certauth.Any{certauth.Extension{OID: "1.2.3", Present: true}, nobody}),
		"not revoked":                  w.behind(certauth.NotRevoked{Checker: &tracker{now: certauth.RevocationGood}}),
		"revoked":                      w.behind(certauth.NotRevoked{Checker: &tracker{now: certauth.RevocationRevoked}}),
		"function":                     w.behind(certauth.PolicyFunc{Name: "x", Func: func(context.Context, *certauth.Identity) error { return nil }}),
		"function, refused, in an any": w.behind(certauth.Any{nobody, certauth.PolicyFunc{Name: "x", Func: func(context.Context, *certauth.Identity) error { return errors.New("no") }}}),
	}
}

func (w world) leafSHA1() string {
	id := &certauth.Identity{Leaf: w.leaf.Certificate}
	return id.ThumbprintSHA1()
}

// A hit has the same result as a miss without the work: the same identity, and the same refusal,
// word for word.
func TestCache_HitEqualsMiss(t *testing.T) {
	w, stranger := newWorld(t, certauthtest.DNS("orders.partner.example", "billing.partner.example")), newWorld(t)
	table := map[string]*x509.Certificate{"a|": w.leaf.Certificate}
	for name, policy := range policies(t, w, stranger) {
		t.Run(name, func(t *testing.T) {
			off := newCached(t, meaning(table), policy, func(c *certauth.Config) { c.CacheSize = -1 })
			on := newCached(t, meaning(table), policy)
			want, wantErr := off.Check(offering("a"))
			for i := range 4 {
				got, err := on.Check(offering("a"))
				if wantErr != nil {
					require.EqualError(t, err, wantErr.Error(), "request %d", i)
					var a, b *certauth.Error
					require.ErrorAs(t, err, &a)
					require.ErrorAs(t, wantErr, &b)
					assert.Equal(t, []string{string(b.Reason), b.Rule, b.Hint}, []string{string(a.Reason), a.Rule, a.Hint})
					continue
				}
				require.NoError(t, err, "request %d", i)
				assert.Equal(t, shown(want), shown(got), "request %d", i)
			}
		})
	}
}

// shown returns everything that an identity reports.
func shown(id *certauth.Identity) map[string]any {
	spiffe, isSPIFFE := id.SPIFFEID()
	return map[string]any{
		"leaf": id.Leaf, "chains": id.Chains, "presented": id.Presented, "source": id.Source, "matched": id.Matched, "revocation": id.Revocation,
		"vouched": id.NamesVouched(), "spiffe": spiffe, "is": isSPIFFE, "log": id.LogValue().String(),
	}
}

// Changes to a shared identity reach no later request and no route.
func TestIdentity_ChangesReachNoOtherRequest(t *testing.T) {
	w := newWorld(t)
	intruder := newWorld(t)
	c := newCached(t, meaning(map[string]*x509.Certificate{"a|": w.leaf.Certificate}), certauth.Any{
		certauth.Named{Name: "guest", Policy: w.chain()}, certauth.Named{Name: "admin", Policy: w.behind(certauth.CommonNames{"admin"})},
	})
	c.once(t, certauth.ReasonNone, "a")
	untouched := newCached(t, c.source, certauth.Any{
		certauth.Named{Name: "guest", Policy: w.chain()}, certauth.Named{Name: "admin", Policy: w.behind(certauth.CommonNames{"admin"})},
	})
	clean := shown(untouched.once(t, certauth.ReasonNone, "a"))
	one := c.once(t, certauth.ReasonNone, "a")
	assert.Same(t, one, c.once(t, certauth.ReasonNone, "a"), "shared while nothing changes")
	for name, write := range map[string]func(*certauth.Identity){
		"leaf":           func(id *certauth.Identity) { id.Leaf = intruder.leaf.Certificate },
		"matched":        func(id *certauth.Identity) { id.Matched[0] = "admin" },
		"more matched":   func(id *certauth.Identity) { id.Matched = append(id.Matched, "admin") },
		"chains":         func(id *certauth.Identity) { id.Chains[0][1] = intruder.ca.Certificate },
		"no chains":      func(id *certauth.Identity) { id.Chains = nil },
		"half a chain":   func(id *certauth.Identity) { id.Chains[0] = id.Chains[0][:1] },
		"a long chain":   func(id *certauth.Identity) { id.Chains[0] = append(id.Chains[0], intruder.ca.Certificate) },
		"no presented":   func(id *certauth.Identity) { id.Presented = nil },
		"more presented": func(id *certauth.Identity) { id.Presented = append(id.Presented, intruder.ca.Certificate) },
		"presented":      func(id *certauth.Identity) { id.Presented[0] = intruder.leaf.Certificate },
		"source":         func(id *certauth.Identity) { id.Source = "x" },
		"revocation":     func(id *certauth.Identity) { id.Revocation.Status = certauth.RevocationGood },
		"nothing left":   func(id *certauth.Identity) { *id = certauth.Identity{} },
	} {
		write(c.once(t, certauth.ReasonNone, "a"))
		assert.Equal(t, clean, shown(c.once(t, certauth.ReasonNone, "a")), name)
	}
	route := c.Require(certauth.Matched{"admin"})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let in") }))
	h := c.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		id, ok := certauth.FromContext(r.Context())
		if assert.True(t, ok) {
			id.Matched[0] = "admin"
		}
		route.ServeHTTP(rw, r)
	}))
	for range 3 {
		h.ServeHTTP(&noResponse{http.Header{}}, offering("a"))
	}
}

// finding T12: a handler that overwrites the whole identity, with nothing or with that of another
// caller with the same outcome, overwrote the one for later requests.
func TestIdentity_OverwrittenOneReachesNoOtherRequest(t *testing.T) {
	first, second := certauthtest.SelfSigned(t, "first"), certauthtest.SelfSigned(t, "second")
	c := newCached(t, meaning(map[string]*x509.Certificate{"a|": first.Certificate, "b|": second.Certificate}),
		certauth.Thumbprints{first.Thumbprint(), second.Thumbprint()})
	foreign := newCached(t, c.source, certauth.Thumbprints{first.Thumbprint(), second.Thumbprint()})
	leaf := c.once(t, certauth.ReasonNone, "a").Leaf
	for name, by := range map[string]*certauth.Identity{
		"nothing":                         {},
		"another caller":                  c.once(t, certauth.ReasonNone, "b"),
		"another caller of another":       foreign.once(t, certauth.ReasonNone, "b"),
		"the same caller of another":      foreign.once(t, certauth.ReasonNone, "a"),
		"an identity of no judged caller": {Leaf: second.Certificate, Presented: []*x509.Certificate{second.Certificate}},
	} {
		*c.once(t, certauth.ReasonNone, "a") = *by
		for range 2 {
			id := c.once(t, certauth.ReasonNone, "a")
			assert.Same(t, leaf, id.Leaf, name)
			assert.True(t, id.NamesVouched(), name)
			assert.Equal(t, 200, through(t, func(next http.Handler) http.Handler { return c.Handler(c.Require(certauth.CommonNames{"first"})(next)) }, offering("a")).status, name)
		}
	}
}

// An identity is shared only by requests with the same outcome. What was vouched for, or found out,
// for one request reaches no request for which it does not hold.
func TestIdentity_IsOfTheOutcomeOfItsRequest(t *testing.T) {
	t.Run("what vouches for the caller", func(t *testing.T) {
		leaf := certauthtest.SelfSigned(t, "client")
		pins := []string{leaf.Thumbprint()}
		c := newCached(t, meaning(map[string]*x509.Certificate{"a|": leaf.Certificate}), certauth.Any{
			certauth.ThumbprintsFrom(certauth.PinFunc(func(context.Context) ([]string, error) { return pins, nil })), certauth.PublicKeys{spkiPin(leaf.Certificate)},
		})
		for range 2 {
			assert.True(t, c.judge(t, certauth.ReasonNone, "a").NamesVouched())
			pins = []string{pinOfNobody}
			require.NoError(t, c.Reload(t.Context()))
			assert.False(t, c.judge(t, certauth.ReasonNone, "a").NamesVouched(), "the holder of a key writes any name")
			pins = []string{leaf.Thumbprint()}
			require.NoError(t, c.Reload(t.Context()))
		}
	})
	t.Run("the chains", func(t *testing.T) {
		first, second := newRoot(t, "First"), newRoot(t, "Second")
		issuing := first.newCA(t, "Issuing")
		cross := second.again(t, issuing)
		roots := &swapped{certs: []*x509.Certificate{first.Certificate}}
		c := newCached(t, meaning(map[string]*x509.Certificate{"a|": issuing.newClient(t).Certificate}),
			certauth.Chain{Roots: roots.source(), Intermediates: certsFrom(issuing, cross)})
		for range 2 {
			for _, root := range []*party{first, second} {
				roots.set(t, c.Authenticator, root.Certificate)
				chains := c.judge(t, certauth.ReasonNone, "a").Chains
				require.Len(t, chains, 1)
				require.Len(t, chains[0], 3)
				assert.Same(t, root.Certificate, chains[0][2])
			}
		}
	})
	t.Run("revocation", func(t *testing.T) {
		w := newWorld(t)
		found, failure := certauth.Revocation{}, error(nil)
		c := newCached(t, meaning(map[string]*x509.Certificate{"a|": w.leaf.Certificate}), certauth.Any{
			certauth.All{w.chain(), certauth.NotRevoked{Checker: asked(func(context.Context, []*x509.Certificate) (certauth.Revocation, error) { return found, failure })}},
			w.chain(),
		})
		for range 2 {
			for _, why := range []string{"a", "b"} {
				found, failure = certauth.Revocation{Status: certauth.RevocationWaived, Why: why}, nil
				assert.Equal(t, found, c.judge(t, certauth.ReasonNone, "a").Revocation)
			}
			failure = errors.New("no answer")
			assert.Zero(t, c.judge(t, certauth.ReasonNone, "a").Revocation, "the other member of Any has asked no checker")
		}
	})
}

// TestHitAllocs is exact: a hit passes the identity on and allocates nothing else.
func TestHitAllocs(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	for _, kind := range []string{"p256", "rsa2048"} {
		b := newBench(t, kind, 1)
		next := http.HandlerFunc(finalWithIdentity)
		for name, change := range map[string]func(*certauth.Config){
			"as it is":             func(*certauth.Config) {},
			"a logger that is off": func(c *certauth.Config) { c.Logger = slog.New(slog.DiscardHandler) },
			"warm revocation": func(c *certauth.Config) {
				c.Policy = b.policy(certauth.NotRevoked{Checker: &tracker{now: certauth.RevocationGood}})
			},
			"optional": func(c *certauth.Config) { c.Optional = true },
		} {
			run := serve(t, b.auth(t, change).Handler(next), b.headers[0])
			run(3)
			assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { run(1) }), 2.0, "%s, %s", kind, name)
			assert.LessOrEqual(t, bytesPerRun(run), 351.0, "%s, %s", kind, name)

			// Middleware outside may still read the header, so the request gets another map.
			run = serveRequest(t, b.auth(t, change).Handler(next), realRequest(t), b.headers[0])
			run(3)
			assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { run(1) }), 6.0, "%s, %s, behind middleware", kind, name)
			assert.LessOrEqual(t, bytesPerRun(run), 1200.0, "%s, %s, behind middleware", kind, name)
		}
	}
	w, stranger := newWorld(t, certauthtest.DNS("orders.partner.example", "billing.partner.example")), newWorld(t)
	for name, policy := range policies(t, w, stranger) {
		c := newCached(t, meaning(map[string]*x509.Certificate{"a|": w.leaf.Certificate}), policy)
		r := offering("a")
		if _, err := c.Check(r); err != nil || name == "function" {
			continue // a function gets a copy of the identity
		}
		_, _ = c.Check(r)
		assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = c.Check(r) }), "Check alone, %s", name)
	}
	t.Run("several headers", func(t *testing.T) {
		auth, err := certauth.New(certauth.Config{Policy: w.chain(), Source: forwarded.HAProxy{From: forwarded.Peers("10.0.0.0/8")}})
		require.NoError(t, err)
		r := certauthtest.WithPeer(t, realRequest(t), "tcp", "10.0.0.4:41234")
		r.Header["X-Ssl-Client-Cert"] = []string{w.leaf.Base64()}
		r.Header["X-Ssl-Client-Used"], r.Header["X-Ssl-Client-Verify"] = []string{"1"}, []string{"0"}
		_, err = auth.Check(r)
		require.NoError(t, err)
		assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = auth.Check(r) }))
	})
	// finding C43: the chains without it were copied each time.
	t.Run("a chain that is too long", func(t *testing.T) {
		root, other := newRoot(t, "Root"), newRoot(t, "Other Root")
		issuing, upper := root.newCA(t, "Issuing"), other.newCA(t, "Upper")
		chain := certauth.Chain{Roots: certsFrom(root, other), Intermediates: certsFrom(issuing, upper, upper.again(t, issuing)), MaxDepth: 2}
		c := newCached(t, meaning(map[string]*x509.Certificate{"a|": issuing.newClient(t).Certificate}), chain)
		r := offering("a")
		for range 2 {
			id, err := c.Check(r)
			require.NoError(t, err)
			require.Len(t, id.Chains, 1)
		}
		assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = c.Check(r) }))
	})
}

func bytesPerRun(run func(n int)) float64 {
	const n = 2000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run(n)
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc-before.TotalAlloc) / n
}

// A hundred names, more than can be remembered: each caller has exactly its own role, however often
// it comes and whichever caller came before.
func TestCache_RemembersEachRuleForEachCertificate(t *testing.T) {
	const n = 100
	ca := certauthtest.NewCA(t, "Partner CA")
	table := map[string]*x509.Certificate{}
	var roles certauth.Any
	for i := range n {
		name := fmt.Sprintf("client%d.partner.example", i)
		table[fmt.Sprintf("%d|", i)] = ca.Issue(t, fmt.Sprintf("client %d", i), certauthtest.DNS(name)).Certificate
		roles = append(roles, certauth.Named{Name: fmt.Sprint(i), Policy: certauth.DNSNames{name}})
	}
	table["stranger|"] = ca.Issue(t, "stranger", certauthtest.DNS("stranger.partner.example")).Certificate
	c := newCached(t, meaning(table), certauth.All{certauth.Chain{Roots: certauth.Certificates(ca.Certificate)}, roles})
	for range 4 {
		for i := range n {
			id := c.once(t, certauth.ReasonNone, fmt.Sprint(i))
			assert.Equal(t, []string{fmt.Sprint(i)}, id.Matched)
		}
		c.once(t, certauth.ReasonNameNotAllowed, "stranger")
	}
}

// A rule of the Authenticator that has accepted a caller says nothing about the rules of a route,
// and one route says nothing about another.
func TestCache_RoutesHavePlacesOfTheirOwn(t *testing.T) {
	w := newWorld(t, certauthtest.DNS("orders.partner.example"))
	mine, other := certauth.DNSNames{"orders.partner.example"}, certauth.DNSNames{"billing.partner.example"}
	c := newCached(t, meaning(map[string]*x509.Certificate{"a|": w.leaf.Certificate}), w.behind(certauth.Not{Policy: other}))
	routes := []struct {
		policy certauth.Policy
		want   int
	}{
		{mine, http.StatusOK},
		{other, http.StatusForbidden},
		{certauth.Not{Policy: mine}, http.StatusForbidden},
		{certauth.Not{Policy: other}, http.StatusOK},
		{certauth.PublicKeys{pinOfNobody}, http.StatusForbidden},
		{certauth.Thumbprints{w.leaf.Thumbprint()}, http.StatusOK},
	}
	var handlers []http.Handler
	for _, route := range routes {
		handlers = append(handlers, c.Handler(c.Require(route.policy)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))))
	}
	for range 4 {
		for i, route := range routes {
			recorder := httptest.NewRecorder()
			handlers[i].ServeHTTP(recorder, offering("a"))
			assert.Equal(t, route.want, recorder.Code, "route %d", i)
		}
	}
	decoded(t, c.source, 1)
}
