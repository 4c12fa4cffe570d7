package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// seen is what the final handler received; it is zero if it was not called.
type seen struct {
	leaf   []byte
	header http.Header
	copied bool
}

// pair is the floor handler and the library, configured for the same partner.
type pair struct {
	partner *world
	m       material
	roots   []*x509.Certificate // what the library trusts
	auth    *certauth.Authenticator
	floor   *floor
	seen    seen
	sent    *http.Request
}

func newPair(t *testing.T) *pair {
	t.Helper()
	partner, err := newWorld("p256", "Partner")
	require.NoError(t, err)
	p := &pair{partner: partner}
	p.m, err = partner.material()
	require.NoError(t, err)
	p.roots = []*x509.Certificate{p.m.root}
	p.auth, err = certauth.New(certauth.Config{Source: appService, Policy: certauth.All{
		certauth.Chain{
			Roots:         certauth.CertFunc(func(context.Context) ([]*x509.Certificate, error) { return p.roots, nil }),
			Intermediates: certauth.Certificates(p.m.issuing),
		},
		certauth.PublicKeys{keyPin(p.m.leaf)},
		certauth.DNSNames{partnerName},
	}})
	require.NoError(t, err)
	p.floor = newFloor(newByHand(p.m, nil), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leaf, _ := r.Context().Value(floorKey{}).(*x509.Certificate)
		p.see(r, leaf)
	}))
	return p
}

func (p *pair) see(r *http.Request, leaf *x509.Certificate) {
	p.seen = seen{header: r.Header.Clone(), copied: r != p.sent}
	if leaf != nil {
		p.seen.leaf = leaf.Raw
	}
}

func (p *pair) library() http.Handler {
	return p.auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		id, _ := certauth.FromContext(r.Context())
		p.see(r, id.Leaf)
	}))
}

// ask sends a request with a change and returns the status and what the handler received.
func (p *pair) ask(t *testing.T, h http.Handler, header string, change func(*http.Request)) (int, seen) {
	t.Helper()
	ctx := context.WithValue(t.Context(), http.ServerContextKey, &http.Server{Handler: h}) //nolint:gosec // it never serves
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/orders", nil)
	for _, h := range tenHeaders {
		r.Header.Set(h[0], h[1])
	}
	if header != "" {
		r.Header.Set(certificateHeader, header)
	}
	if change != nil {
		change(r)
	}
	p.sent, p.seen = r, seen{}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, p.seen
}

// both sends the same request through both, and requires the same outcome.
func (p *pair) both(t *testing.T, want int, header string, change func(*http.Request)) seen {
	t.Helper()
	status, ours := p.ask(t, p.library(), header, change)
	assert.Equal(t, want, status, "the library")
	status, floors := p.ask(t, p.floor, header, change)
	assert.Equal(t, want, status, "the floor handler")
	assert.Equal(t, ours, floors, "what the handlers at the end see")
	assert.Equal(t, want == http.StatusOK, floors.leaf != nil)
	return floors
}

func set(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = values }
}

// The floor handler keeps the promises for which it is a yardstick: for each request it does the
// same as the library.
func TestFloor_KeepsTheLibrarysPromises(t *testing.T) {
	const let, refuse = http.StatusOK, http.StatusUnauthorized
	p := newPair(t)
	known := p.m.header()
	p.both(t, let, known, nil)
	stranger, err := newWorld("p256", "Stranger")
	require.NoError(t, err)
	strange, err := stranger.material()
	require.NoError(t, err)
	issue := func(template *x509.Certificate, key *world) string {
		leaf, err := sign(template, p.m.issuing, key.leafKey.Public(), p.partner.issuingKey)
		require.NoError(t, err)
		return headerOf(leaf)
	}
	otherName := p.partner.leaf()
	otherName.DNSNames = []string{"billing.partner.example"}
	long := func(padding int) string {
		template := p.partner.leaf()
		template.ExtraExtensions = []pkix.Extension{{Id: []int{1, 3, 6, 1, 4, 1, 32473, 1}, Value: make([]byte, padding)}}
		return issue(template, p.partner)
	}
	longest, tooLong := long(11_400), long(11_600)
	require.Less(t, len(longest), 16<<10)
	require.Greater(t, len(tooLong), 16<<10)
	for _, tc := range []struct {
		name   string
		header string
		change func(*http.Request)
		want   int
	}{
		{"a known certificate", known, nil, let},
		{"another one of the same CA and key", issue(p.partner.leaf(), p.partner), nil, let},
		{"no certificate", "", nil, refuse},
		{"an empty header", "", set(certificateHeader, ""), refuse},
		{"two values", "", set(certificateHeader, known, strange.header()), refuse},
		{"the same value twice", "", set(certificateHeader, known, known), refuse},
		{"less than 16 KiB", longest, nil, let},
		{"more than 16 KiB", tooLong, nil, refuse},
		{"no X-ARR-LOG-ID", known, func(r *http.Request) { r.Header.Del("X-ARR-LOG-ID") }, refuse},
		{"an empty X-ARR-LOG-ID", known, set("X-ARR-LOG-ID", ""), refuse},
		{"two of X-ARR-LOG-ID", known, set("X-ARR-LOG-ID", arrLogID, arrLogID), refuse},
		{"no X-ARR-SSL", known, func(r *http.Request) { r.Header.Del("X-ARR-SSL") }, refuse},
		{"two of X-ARR-SSL", known, set("X-ARR-SSL", arrSSL, arrSSL), refuse},
		{"an X-ARR-SSL of another form", known, set("X-ARR-SSL", "2048|256|CN=a"), refuse},
		{"another X-ARR-SSL of the form", known, set("X-ARR-SSL", "3072|128|CN=a|CN=b"), let},
		{"no X-AppService-Proto", known, func(r *http.Request) { r.Header.Del("X-AppService-Proto") }, let},
		{"X-AppService-Proto is http", known, set("X-AppService-Proto", "http"), refuse},
		{"two of X-AppService-Proto", known, set("X-AppService-Proto", "https", "https"), refuse},
		{"a TLS client certificate beside the header", known, func(r *http.Request) {
			r.TLS = &tls.ConnectionState{HandshakeComplete: true, PeerCertificates: []*x509.Certificate{strange.leaf}}
		}, refuse},
		{"in TLS early data", known, set("Early-Data", "1"), refuse},
		{"Connection: keep-alive", known, set("Connection", "keep-alive"), let},
		{"Connection names the header", known, set("Connection", "close, x-arr-clientcert"), refuse},
		{"Connection names another spelling of it", known, set("Connection", "X_ARR.ClientCert"), refuse},
		{"Connection names the evidence", known, set("Connection", "X-ARR-SSL"), refuse},
		{"the second Connection names the header", known, set("Connection", "close", certificateHeader), refuse},
		{"Connection is longer than 4 KiB", known, set("Connection", strings.Repeat("a", 4<<10+1)), refuse},
		{"a known text with one character changed", known[:len(known)/2] + changed(known[len(known)/2]) + known[len(known)/2+1:], nil, refuse},
		{"a known text without its end", known[:len(known)-4], nil, refuse},
		{"a known text and a line feed", known + "\n", nil, refuse},
		{"a known text behind a blank", " " + known, nil, refuse},
		{"what is no certificate", "bm8gY2VydGlmaWNhdGU=", nil, refuse},
		{"a stranger's certificate", strange.header(), nil, refuse},
		{"the issuing CA's certificate", headerOf(p.m.issuing), nil, refuse},
		{"a key that is not pinned", issue(p.partner.leaf(), stranger), nil, refuse},
		{"another name", issue(otherName, p.partner), nil, refuse},
		{"Upgrade: h2c", known, set("Upgrade", "h2c"), let},
		{"Upgrade: websocket, h2c", known, set("Upgrade", "websocket, h2c"), let},
		{"Upgrade: websocket", known, set("Upgrade", "websocket"), let},
	} {
		t.Run(tc.name, func(t *testing.T) {
			found := p.both(t, tc.want, tc.header, tc.change)
			if tc.want == let {
				assert.NotContains(t, found.header, certificateKey)
				assert.True(t, found.copied, "the identity is in a copy of the request")
			}
		})
	}
}

func changed(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

// No spelling reaches the final handler, whether the names were written by net/http's server, which
// calls the handler itself, or by other code.
func TestFloor_RemovesEverySpelling(t *testing.T) {
	p := newPair(t)
	all := spellings(certificateHeader)
	require.Len(t, all, 9)
	require.Equal(t, certificateKey, all[0])
	for _, spelling := range all[1:] {
		for name, change := range map[string]func(*http.Request){
			"as net/http writes it": func(r *http.Request) { r.Header[spelling] = []string{"forged"} },
			"in lower case, without a server": func(r *http.Request) {
				r.Header[strings.ToLower(spelling)] = []string{"forged"}
				*r = *r.WithContext(t.Context())
			},
			"in lower case, by middleware in front": func(r *http.Request) {
				r.Header[strings.ToLower(spelling)] = []string{"forged"}
				server := &http.Server{Handler: http.NotFoundHandler()} //nolint:gosec // it never serves
				*r = *r.WithContext(context.WithValue(t.Context(), http.ServerContextKey, server))
			},
		} {
			t.Run(spelling+" "+name, func(t *testing.T) {
				found := p.both(t, http.StatusOK, p.m.header(), change)
				assert.Len(t, found.header, len(tenHeaders))
			})
		}
	}
}

// Dates are checked for every request.
func TestFloor_ForgetsNoDates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		template := p.partner.leaf()
		template.NotAfter = time.Now().Add(time.Hour)
		leaf, err := sign(template, p.m.issuing, p.partner.leafKey.Public(), p.partner.issuingKey)
		require.NoError(t, err)
		p.both(t, http.StatusOK, headerOf(leaf), nil)
		time.Sleep(time.Hour)
		p.both(t, http.StatusOK, headerOf(leaf), nil)
		time.Sleep(time.Second)
		p.both(t, http.StatusUnauthorized, headerOf(leaf), nil)
	})
}

// A result that was remembered for other trust material does not count.
func TestFloor_ForgetsWithTheGeneration(t *testing.T) {
	p := newPair(t)
	p.both(t, http.StatusOK, p.m.header(), nil)
	other, err := newWorld("p256", "Other")
	require.NoError(t, err)
	p.roots = []*x509.Certificate{other.root}
	require.NoError(t, p.auth.Reload(t.Context()))
	p.floor.hand = newByHand(material{root: other.root, issuing: p.m.issuing, leaf: p.m.leaf}, nil)
	p.floor.generation.Add(1)
	p.both(t, http.StatusUnauthorized, p.m.header(), nil)
}

// However many callers there are, those that come are accepted.
func TestFloor_IsBounded(t *testing.T) {
	p := newPair(t)
	for range 2 * len(p.floor.known) {
		e := &floorEntry{text: garbage(12)}
		p.floor.remember(uint64(len(e.text))*7919, e) // all in one place
	}
	status, _ := p.ask(t, p.floor, p.m.header(), nil)
	assert.Equal(t, http.StatusOK, status)
	n := 0
	for i := range p.floor.known {
		if p.floor.known[i].Load() != nil {
			n++
		}
	}
	assert.LessOrEqual(t, n, 2*floorWays)
}
