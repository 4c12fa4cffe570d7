package certauth_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// CVE-2026-71326, CVE-2026-88010 Traefik: a key made by joining texts was also the key of others.
func TestCache_KeysNeverCollide(t *testing.T) {
	w := newWorld(t)
	other := w.issue(t)
	s := meaning(map[string]*x509.Certificate{"ab|c|": w.leaf.Certificate, "a|bc|": other, "abc|": other, "a|b|c|d|e|": other, "a|b|c|de|": w.leaf.Certificate})
	s.spread = "the same for all"
	c := newCached(t, s, w.chain())
	for range 2 {
		assert.Equal(t, w.leaf.Raw, c.judge(t, certauth.ReasonNone, "ab", "c").Leaf.Raw)
		assert.Equal(t, other.Raw, c.judge(t, certauth.ReasonNone, "a", "bc").Leaf.Raw)
		assert.Equal(t, other.Raw, c.judge(t, certauth.ReasonNone, "abc").Leaf.Raw)
		assert.Equal(t, other.Raw, c.judge(t, certauth.ReasonNone, "a", "b", "c", "d", "e").Leaf.Raw)
		assert.Equal(t, w.leaf.Raw, c.judge(t, certauth.ReasonNone, "a", "b", "c", "de").Leaf.Raw)
		c.judge(t, certauth.ReasonCertificateMalformed, "ab", "c", "")
		c.judge(t, certauth.ReasonCertificateMalformed, "", "ab", "c")
	}
}

// CVE-2026-33496, CVE-2021-32701 oathkeeper: facts are remembered, verdicts never.
func TestCache_PolicyRunsOnEveryRequest(t *testing.T) {
	w := newWorld(t)
	asked, refuses := 0, false
	pins := []string{w.leaf.Thumbprint()}
	rule := certauth.PolicyFunc{Name: "mood", Func: func(context.Context, *certauth.Identity) error {
		if asked++; refuses {
			return errors.New("not today")
		}
		return nil
	}}
	c := newCached(t, meaning(map[string]*x509.Certificate{"a|": w.leaf.Certificate}), certauth.All{
		w.chain(), certauth.ThumbprintsFrom(certauth.PinFunc(func(context.Context) ([]string, error) { return pins, nil })), rule,
	})
	for range 5 {
		c.once(t, certauth.ReasonNone, "a")
	}
	assert.Equal(t, 5, asked)
	decoded(t, c.source, 1)

	refuses = true
	c.once(t, certauth.ReasonPolicyRefused, "a")
	refuses = false
	c.once(t, certauth.ReasonNone, "a")

	pins = []string{pinOfNobody}
	require.NoError(t, c.Reload(t.Context()))
	c.once(t, certauth.ReasonPinMismatch, "a")
	pins = []string{w.leaf.Thumbprint()}
	require.NoError(t, c.Reload(t.Context()))
	c.once(t, certauth.ReasonNone, "a")
	decoded(t, c.source, 1)
}

func TestCache_AuthenticatorsShareNothing(t *testing.T) {
	w, stranger := newWorld(t), newWorld(t)
	s := meaning(map[string]*x509.Certificate{"a|": w.leaf.Certificate})
	mine := newCached(t, s, w.chain())
	theirs := newCached(t, s, stranger.chain())
	stricter := newCached(t, s, w.behind(certauth.DNSNames{"other.example"}))
	for range 3 {
		mine.once(t, certauth.ReasonNone, "a")
		theirs.once(t, certauth.ReasonChainUntrusted, "a")
		stricter.once(t, certauth.ReasonNameNotAllowed, "a")
	}
	decoded(t, s, 1+3+3)
}

// aspnetcore PR #66673, #69273: the entry that a waiting request was to fill belonged to another
// one by then.
func TestCache_KeyIsFixedBeforeWaiting(t *testing.T) {
	w := newWorld(t)
	other := w.issue(t)
	begun, goOn := make(chan struct{}, 1), make(chan struct{})
	s := meaning(map[string]*x509.Certificate{"a|": w.leaf.Certificate, "b|": other})
	means := s.means
	s.means = func(texts []string) ([]*x509.Certificate, error) {
		if texts[0] == "a" {
			begun <- struct{}{}
			<-goOn
		}
		return means(texts)
	}
	c := newCached(t, s, w.chain())
	r := offering("a")
	done := make(chan *certauth.Identity, 1)
	go func() {
		id, _ := c.Check(r)
		done <- id
	}()
	<-begun
	r.Header["X-Text"][0] = "b" // the request is reused in the meantime
	close(goOn)
	assert.Equal(t, w.leaf.Raw, (<-done).Leaf.Raw)
	assert.Equal(t, w.leaf.Raw, c.once(t, certauth.ReasonNone, "a").Leaf.Raw)
	decoded(t, s, 1)
	assert.Equal(t, other.Raw, c.once(t, certauth.ReasonNone, "b").Leaf.Raw)
	decoded(t, s, 2)
}

// elasticsearch #44810: the key was the leaf, but the chain came from the request.
func TestCache_OtherChainIsAnotherEntry(t *testing.T) {
	ca := certauthtest.NewCA(t, "Root")
	issuing, other := ca.NewIntermediate(t, "Issuing"), ca.NewIntermediate(t, "Other")
	leaf := issuing.Issue(t, "client")
	sequence := func(cert *x509.Certificate) string {
		return ":" + base64.StdEncoding.EncodeToString(cert.Raw) + ":"
	}
	t.Run("in headers", func(t *testing.T) {
		auth, err := certauth.New(certauth.Config{Source: forwarded.RFC9440{From: forwarded.InsecureAnyPeer(), Chain: true}, Policy: chainOf(ca)})
		require.NoError(t, err)
		for range 3 {
			for _, tc := range []struct {
				chain []string
				want  certauth.Reason
			}{
				{[]string{sequence(issuing.Certificate)}, certauth.ReasonNone},
				{nil, certauth.ReasonChainUntrusted},
				{[]string{sequence(other.Certificate)}, certauth.ReasonChainUntrusted},
				{[]string{sequence(other.Certificate), sequence(issuing.Certificate)}, certauth.ReasonNone},
				{[]string{"?"}, certauth.ReasonCertificateMalformed},
			} {
				r := request()
				r.Header["Client-Cert"] = []string{sequence(leaf.Certificate)}
				r.Header["Client-Cert-Chain"] = tc.chain
				_, err := auth.Check(r)
				assert.Equal(t, tc.want, reasonOf(err), "%v", err)
			}
		}
	})
	t.Run("parsed by the source", func(t *testing.T) {
		var sent []*x509.Certificate
		auth, err := certauth.New(certauth.Config{Policy: chainOf(ca), Source: certauth.SourceFunc{
			Name: "x", Func: func(*http.Request) ([]*x509.Certificate, error) { return sent, nil },
		}})
		require.NoError(t, err)
		for range 3 {
			sent = []*x509.Certificate{leaf.Certificate, issuing.Certificate}
			_, err := auth.Check(request())
			require.NoError(t, err)
			sent = sent[:1]
			_, err = auth.Check(request())
			assert.Equal(t, certauth.ReasonChainUntrusted, reasonOf(err), "%v", err)
			sent = []*x509.Certificate{leaf.Certificate, other.Certificate}
			_, err = auth.Check(request())
			assert.Equal(t, certauth.ReasonChainUntrusted, reasonOf(err), "%v", err)
		}
	})
}

// pomerium's verdict cache had no expiry. Here every certificate of the chain ends the entry, to
// the second.
func TestCache_EntryNeverOutlivesItsChain(t *testing.T) {
	start := time.Now().Truncate(time.Second)
	valid := func(days int) certauthtest.Template {
		return certauthtest.Valid(start.Add(-time.Hour), start.AddDate(0, 0, days))
	}
	const expired, ok = certauth.ReasonCertificateExpired, certauth.ReasonNone
	for _, tc := range []struct {
		name                string
		root, issuing, leaf int
		skew                time.Duration
	}{
		{"the leaf ends first", 30, 20, 10, 0},
		{"the issuing CA ends first", 30, 10, 20, 0},
		{"the root ends first", 10, 20, 30, 0},
		{"the issuing CA, with a skew", 30, 10, 20, time.Minute},
		{"the leaf, with a skew", 30, 20, 10, time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ca := certauthtest.NewCA(t, "Root", valid(tc.root))
			issuing := ca.NewIntermediate(t, "Issuing", valid(tc.issuing))
			leaf := issuing.Issue(t, "client", valid(tc.leaf)).Certificate
			now := newClock()
			policy := certauth.All{certauth.Chain{Roots: certsOf(ca), Intermediates: certsOf(issuing)}}
			if tc.skew > 0 {
				policy = append(policy, certauth.Validity{ClockSkew: tc.skew})
			}
			c := newCached(t, meaning(map[string]*x509.Certificate{"a|": leaf}), policy, func(c *certauth.Config) { c.Now = now.now })
			now.set(start)
			c.judge(t, ok, "a")
			end := start.AddDate(0, 0, 10).Add(tc.skew)
			now.set(end)
			c.judge(t, ok, "a")
			now.set(end.Add(time.Nanosecond))
			c.judge(t, expired, "a")
			now.set(end.Add(time.Second))
			c.judge(t, expired, "a")
			now.set(end)
			c.judge(t, ok, "a")
			decoded(t, c.source, 1)
		})
	}
}

// own analysis: a clock that steps back, or forward, is noticed by the very next request.
func TestCache_ClockStepBackIsSeen(t *testing.T) {
	start := time.Now().Truncate(time.Second)
	ca := certauthtest.NewCA(t, "Root")
	young := ca.NewIntermediate(t, "Issuing", certauthtest.Valid(start, start.AddDate(1, 0, 0)))
	leaf := young.Issue(t, "client", certauthtest.Valid(start.AddDate(0, 0, -1), start.AddDate(0, 1, 0))).Certificate
	for name, policy := range map[string]certauth.Policy{
		"chain": certauth.Chain{Roots: certsOf(ca), Intermediates: certsOf(young)},
		"pin":   certauth.Thumbprints{thumbprint(leaf)},
	} {
		t.Run(name, func(t *testing.T) {
			now := newClock()
			c := newCached(t, meaning(map[string]*x509.Certificate{"a|": leaf}), policy, func(c *certauth.Config) { c.Now = now.now })
			edge := start
			if name == "pin" {
				edge = start.AddDate(0, 0, -1)
			}
			for range 2 {
				now.set(start.Add(time.Hour))
				c.judge(t, certauth.ReasonNone, "a")
				now.set(edge)
				c.judge(t, certauth.ReasonNone, "a")
				now.set(edge.Add(-time.Nanosecond))
				c.judge(t, certauth.ReasonCertificateNotYetValid, "a")
				now.set(start.AddDate(0, 2, 0))
				c.judge(t, certauth.ReasonCertificateExpired, "a")
			}
			decoded(t, c.source, 1)
		})
	}
}

// At another time a search would find other chains, and so does a hit.
func TestCache_HitFindsTheChainsOfItsMoment(t *testing.T) {
	start := time.Now().Truncate(time.Second)
	ca := certauthtest.NewCA(t, "Root")
	issuing := ca.NewIntermediate(t, "Issuing", certauthtest.Valid(start.AddDate(0, 0, -10), start.AddDate(0, 0, 10)))
	again := ca.CrossSign(t, issuing) // the same name and key, valid for years
	leaf := issuing.Issue(t, "client").Certificate
	now := newClock()
	table := map[string]*x509.Certificate{"a|": leaf}
	policy := certauth.Chain{Roots: certsOf(ca), Intermediates: certauth.Certificates(issuing.Certificate, again)}
	with := newCached(t, meaning(table), policy, func(c *certauth.Config) { c.Now = now.now })
	without := newCached(t, meaning(table), policy, func(c *certauth.Config) { c.Now, c.CacheSize = now.now, -1 })
	for _, day := range []int{0, 11, 0, 10, -11, 5, 11} {
		now.set(start.AddDate(0, 0, day))
		text := "a"
		want, err := without.Check(offering(text))
		if err != nil {
			with.once(t, reasonOf(err), text)
			continue
		}
		got := with.judge(t, certauth.ReasonNone, text)
		assert.ElementsMatch(t, want.Chains, got.Chains, "day %d", day)
	}
	decoded(t, with.source, 1)
}

// ASP.NET's cache key did not include the trust store.
func TestCache_SwappedRootsInvalidateAtOnce(t *testing.T) {
	ca, stranger := certauthtest.NewCA(t, "Root"), certauthtest.NewCA(t, "Root")
	issuing := ca.NewIntermediate(t, "Issuing")
	leaf := issuing.Issue(t, "client").Certificate
	roots, intermediates := &swapped{certs: []*x509.Certificate{ca.Certificate}}, &swapped{certs: []*x509.Certificate{issuing.Certificate}}
	c := newCached(t, meaning(map[string]*x509.Certificate{"a|": leaf}), certauth.Chain{Roots: roots.source(), Intermediates: intermediates.source()})
	for range 2 {
		c.judge(t, certauth.ReasonNone, "a")
		roots.set(t, c.Authenticator, stranger.Certificate)
		c.judge(t, certauth.ReasonChainUntrusted, "a")
		roots.set(t, c.Authenticator, stranger.Certificate, ca.Certificate)
		c.judge(t, certauth.ReasonNone, "a")
		intermediates.set(t, c.Authenticator, stranger.Certificate)
		c.judge(t, certauth.ReasonChainUntrusted, "a")
		intermediates.set(t, c.Authenticator, issuing.Certificate)
		roots.set(t, c.Authenticator, ca.Certificate)
	}
	decoded(t, c.source, 1)

	t.Run("what a branch could not verify before", func(t *testing.T) {
		first := &swapped{certs: []*x509.Certificate{stranger.Certificate}}
		c := newCached(t, meaning(map[string]*x509.Certificate{"a|": leaf}), certauth.Any{
			certauth.Named{Name: "first", Policy: certauth.Chain{Roots: first.source(), Intermediates: certsOf(issuing)}},
			certauth.Named{Name: "second", Policy: certauth.Chain{Roots: certsOf(ca), Intermediates: certsOf(issuing)}},
		})
		assert.Equal(t, []string{"second"}, c.judge(t, certauth.ReasonNone, "a").Matched)
		first.set(t, c.Authenticator, ca.Certificate)
		assert.Equal(t, []string{"first", "second"}, c.judge(t, certauth.ReasonNone, "a").Matched)
		first.set(t, c.Authenticator, stranger.Certificate)
		assert.Equal(t, []string{"second"}, c.judge(t, certauth.ReasonNone, "a").Matched)
		decoded(t, c.source, 1)
	})
}

// ristretto v2.4.2: two hashes replaced the key. These texts have the same hash, because they
// differ only outside the hashed part.
func TestCache_EqualHashOtherTextMisses(t *testing.T) {
	w := newWorld(t)
	other := w.issue(t)
	tail := strings.Repeat("=", 64)
	s := meaning(map[string]*x509.Certificate{"a" + tail + "|": w.leaf.Certificate, "b" + tail + "|": other})
	c := newCached(t, s, w.chain())
	for range 3 {
		assert.Equal(t, w.leaf.Raw, c.judge(t, certauth.ReasonNone, "a"+tail).Leaf.Raw)
		assert.Equal(t, other.Raw, c.judge(t, certauth.ReasonNone, "b"+tail).Leaf.Raw)
		c.once(t, certauth.ReasonCertificateMalformed, "c"+tail)
		c.once(t, certauth.ReasonCertificateMalformed, "aa"+tail)
		c.once(t, certauth.ReasonCertificateMalformed, tail)
	}
	decoded(t, s, 2+3*3)
}

// own analysis: gate, duplicates and Connection are always checked before the look-up.
func TestCache_HitNeverSkipsTheGate(t *testing.T) {
	w := newWorld(t)
	text := w.leaf.Base64()
	platform := func(change func(*http.Request)) *http.Request {
		r := realRequest(t)
		r.Header[certHeader] = []string{text}
		change(r)
		return r
	}
	set := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = values }
	}
	const untrusted, malformed, missing, ok = certauth.ReasonSourceUntrusted, certauth.ReasonCertificateMalformed, certauth.ReasonCertificateMissing, certauth.ReasonNone
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.AppService{From: forwarded.Peers("10.0.0.0/8"), InsecureOutsideAppService: true}, Policy: w.chain(),
	})
	require.NoError(t, err)
	for range 3 {
		for name, tc := range map[string]struct {
			change func(*http.Request)
			want   certauth.Reason
		}{
			"as it is":                     {func(*http.Request) {}, ok},
			"from another peer":            {func(r *http.Request) { r.RemoteAddr = "192.0.2.1:1" }, untrusted},
			"without the log id":           {func(r *http.Request) { delete(r.Header, "X-Arr-Log-Id") }, untrusted},
			"with another X-ARR-SSL":       {set("X-ARR-SSL", "2048|256|a"), untrusted},
			"with two X-ARR-SSL":           {set("X-ARR-SSL", "1|1|a|b", "1|1|a|b"), untrusted},
			"over plain HTTP":              {set("X-AppService-Proto", "http"), untrusted},
			"twice":                        {set(certHeader, text, text), malformed},
			"with an empty one":            {set(certHeader, text, ""), malformed},
			"named by Connection":          {set("Connection", "close, X-ARR-ClientCert"), malformed},
			"an alias named by Connection": {set("Connection", "x_arr_clientcert"), malformed},
			"evidence named by Connection": {set("Connection", "x-arr-ssl"), malformed},
			"under an alias only":          {func(r *http.Request) { delete(r.Header, certHeader); set("X_ARR_ClientCert", text)(r) }, missing},
			"with a space":                 {set(certHeader, text+" "), malformed},
		} {
			r := platform(tc.change)
			r = certauthtest.WithPeer(t, r, "tcp", r.RemoteAddr)
			_, err := auth.Check(r)
			assert.Equal(t, tc.want, reasonOf(err), "%s: %v", name, err)
		}
	}
	t.Run("and the handler never sees the header", func(t *testing.T) {
		var seen http.Header
		h := auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header.Clone() }))
		for range 3 {
			r := certauthtest.WithPeer(t, platform(set("X_arr_clientcert", "x")), "tcp", "10.0.0.4:41234")
			r.Header["x.arr.clientcert"] = []string{"y"}
			h.ServeHTTP(&noResponse{http.Header{}}, r)
			require.NotNil(t, seen)
			for name := range seen {
				assert.NotEqual(t, "xarrclientcert", strings.ToLower(strings.NewReplacer("-", "", "_", "", ".", "").Replace(name)))
			}
			seen = nil
		}
	})
	t.Run("nor flags and fingerprints beside it", func(t *testing.T) {
		auth, err := certauth.New(certauth.Config{Policy: w.chain(), Source: forwarded.HAProxy{From: forwarded.InsecureAnyPeer()}})
		require.NoError(t, err)
		for range 3 {
			for _, tc := range []struct {
				used, verify []string
				want         certauth.Reason
			}{
				{[]string{"1"}, []string{"0"}, ok},
				{[]string{"1"}, []string{"18"}, certauth.ReasonFrontEndUnverified},
				{[]string{"1"}, nil, certauth.ReasonFrontEndUnverified},
				{nil, []string{"0"}, certauth.ReasonFrontEndUnverified},
				{[]string{"1", "1"}, []string{"0"}, malformed},
			} {
				r := request()
				r.Header["X-Ssl-Client-Cert"] = []string{text}
				r.Header["X-Ssl-Client-Used"], r.Header["X-Ssl-Client-Verify"] = tc.used, tc.verify
				_, err := auth.Check(r)
				assert.Equal(t, tc.want, reasonOf(err), "%v", err)
			}
		}
	})
}

// Refusals are not remembered, and neither is anything without an anchor.
func TestCache_RefusedIsForgotten(t *testing.T) {
	w := newWorld(t)
	table := map[string]*x509.Certificate{"stranger|": certauthtest.SelfSigned(t, "x").Certificate, "other name|": w.issue(t)}
	c := newCached(t, meaning(table), w.behind(certauth.DNSNames{"a.example"}))
	for i := range 3 {
		c.once(t, certauth.ReasonChainUntrusted, "stranger")
		c.once(t, certauth.ReasonNameNotAllowed, "other name")
		c.once(t, certauth.ReasonCertificateMalformed, "nothing")
		decoded(t, c.source, 3*(i+1))
	}
}

// A CacheSize below zero remembers nothing and changes nothing else.
func TestCache_CanBeSwitchedOff(t *testing.T) {
	w := newWorld(t)
	c := newCached(t, meaning(map[string]*x509.Certificate{"a|": w.leaf.Certificate}), w.chain(), func(c *certauth.Config) { c.CacheSize = -1 })
	for range 4 {
		c.once(t, certauth.ReasonNone, "a")
	}
	decoded(t, c.source, 4)
}

// A source that changes parsed certificates gets its result, but only for that request.
func TestCache_OnlyWhatTheDERSaysIsRemembered(t *testing.T) {
	w := newWorld(t)
	critical := w.issue(t, func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Critical: true, Value: []byte{5, 0}}}
	})
	handled := *critical
	handled.UnhandledCriticalExtensions = nil
	sent := &handled
	auth, err := certauth.New(certauth.Config{Policy: w.chain(), Source: certauth.SourceFunc{
		Name: "x", Func: func(*http.Request) ([]*x509.Certificate, error) { return []*x509.Certificate{sent}, nil },
	}})
	require.NoError(t, err)
	for range 3 {
		sent = &handled
		_, err = auth.Check(request())
		require.NoError(t, err)
		sent = critical
		_, err = auth.Check(request())
		assert.Equal(t, certauth.ReasonChainUntrusted, reasonOf(err), "%v", err)
	}
}

func TestCache_RememberedCountsCertificates(t *testing.T) {
	var nobody *certauth.Authenticator
	assert.Zero(t, nobody.Remembered())
	assert.Zero(t, new(certauth.Authenticator).Remembered())
	presenting := func(cert *x509.Certificate) *http.Request {
		r := request()
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}
		return r
	}
	w := newWorld(t)
	for _, tc := range []struct {
		name       string
		size, want int
	}{{"the usual size", 0, 5}, {"a cache of two", 2, 2}, {"nothing is remembered", -1, 0}} {
		t.Run(tc.name, func(t *testing.T) {
			auth := must(t, certauth.Config{Source: certauth.TLS{}, Policy: w.chain(), CacheSize: tc.size})
			assert.Zero(t, auth.Remembered())
			for range 5 {
				_, err := auth.Check(presenting(w.issue(t)))
				require.NoError(t, err)
			}
			_, err := auth.Check(presenting(certauthtest.SelfSigned(t, "stranger").Certificate))
			require.Error(t, err)
			assert.Equal(t, tc.want, auth.Remembered(), "a refused caller is not remembered")
		})
	}
}
