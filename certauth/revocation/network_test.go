package revocation_test

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// The sources that the certificates of a wired scene name.
const (
	ocspURL  = "http://ocsp.partner.example"
	crlURL   = "http://crl.partner.example/clients.crl"
	rootsURL = "http://crl.partner.example/root.crl"
)

// clock is set by the test.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

type handler func(ctx context.Context, r revocation.Request) (revocation.Response, error)

// network is a Fetcher whose hosts are functions. It counts its requests.
type network struct {
	mu    sync.Mutex
	at    map[string]handler
	asked map[string]int
	log   []revocation.Request
}

func newNetwork() *network { return &network{at: map[string]handler{}, asked: map[string]int{}} }

// serve answers requests whose URL begins with url; the longest match counts.
func (n *network) serve(url string, h handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.at[url] = h
}

func (n *network) Fetch(ctx context.Context, r revocation.Request) (revocation.Response, error) {
	n.mu.Lock()
	best := ""
	for url := range n.at {
		if strings.HasPrefix(r.URL, url) && len(url) > len(best) {
			best = url
		}
	}
	h := n.at[best]
	n.asked[best]++
	n.log = append(n.log, r)
	n.mu.Unlock()
	if h == nil {
		return revocation.Response{}, revocation.ErrTransport
	}
	return h(ctx, r)
}

func (n *network) count(url string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked[url]
}

func (n *network) total() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.log)
}

func (n *network) last() revocation.Request {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.log[len(n.log)-1]
}

// body returns a handler that always answers with the same bytes.
func body(der []byte) handler {
	return func(context.Context, revocation.Request) (revocation.Response, error) {
		return revocation.Response{Body: der}, nil
	}
}

func failing(err error) handler {
	return func(context.Context, revocation.Request) (revocation.Response, error) {
		return revocation.Response{}, err
	}
}

// hanging answers when the request ends.
func hanging(ctx context.Context, _ revocation.Request) (revocation.Response, error) {
	<-ctx.Done()
	return revocation.Response{}, ctx.Err()
}

// wired is a scene whose certificates name their sources, and the network that answers.
type wired struct {
	*scene
	net   *network
	clock *clock
}

func wire(t testing.TB, clientChanges ...change) *wired {
	t.Helper()
	w := &wired{scene: &scene{}, net: newNetwork(), clock: &clock{t: now}}
	w.root = makeCert(t, "Root", newKey(t), nil, asCA)
	w.ca = makeCert(t, "Clients CA", newKey(t), w.root, asCA, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{rootsURL} })
	w.client = w.issue(t, "client", clientChanges...)
	w.other = w.issue(t, "other")
	w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood))
	w.net.serve(crlURL, body(encode(t, w.list())))
	w.net.serve(rootsURL, body(encode(t, w.rootList())))
	return w
}

// issue makes another client that names its sources.
func (w *wired) issue(t testing.TB, name string, changes ...change) *identity {
	t.Helper()
	return makeCert(t, name, newKey(t), w.ca, append([]change{asClient, func(c *x509.Certificate) {
		c.OCSPServer, c.CRLDistributionPoints = []string{ocspURL}, []string{crlURL}
	}}, changes...)...)
}

// rootList returns the root's list, which is empty by default.
func (w *wired) rootList(entries ...ocsptest.Entry) ocsptest.List {
	l := w.list()
	l.Issuer, l.Key, l.Entries = w.root.cert.RawSubject, w.root.key, entries
	l.Extensions = []ocsptest.Extension{ocsptest.AuthorityKeyID(w.root.cert.SubjectKeyId), ocsptest.CRLNumber(1)}
	return l
}

// responder answers every request, about whichever certificate it names, at the time of the scene's
// clock.
func (w *wired) responder(t testing.TB, status []byte) handler {
	t.Helper()
	return func(_ context.Context, r revocation.Request) (revocation.Response, error) {
		return revocation.Response{Body: encode(t, w.answerTo(t, r, status))}, nil
	}
}

// answerTo returns the response that matches the request.
func (w *wired) answerTo(t testing.TB, r revocation.Request, status []byte) ocsptest.Response {
	t.Helper()
	question := parseRequest(t, r)
	at := w.clock.now()
	answer := ocsptest.Answer{
		ID: ocsptest.IDOf(question.HashAlgorithm, w.ca.cert, question.SerialNumber), Status: status,
		ThisUpdate: ocsptest.At(at.Add(-time.Hour)), NextUpdate: ocsptest.At(at.Add(23 * time.Hour)),
	}
	response := w.good()
	response.ProducedAt, response.Answers = ocsptest.At(at.Add(-time.Minute)), []ocsptest.Answer{answer}
	return response
}

// parseRequest reads a request as a responder does: with x/crypto, from a GET or POST.
func parseRequest(t testing.TB, r revocation.Request) *ocsp.Request {
	t.Helper()
	der := r.Body
	if r.Method == http.MethodGet {
		u, err := url.Parse(r.URL)
		require.NoError(t, err)
		path := u.EscapedPath()
		text, err := url.PathUnescape(path[strings.LastIndex(path, "/")+1:])
		require.NoError(t, err)
		der, err = base64.StdEncoding.DecodeString(text)
		require.NoError(t, err)
	}
	question, err := ocsp.ParseRequest(der)
	require.NoError(t, err)
	return question
}

// checker returns a Checker with the scene's network and clock, closed at the end of the test.
func (w *wired) checker(t testing.TB, changes ...func(*revocation.Config)) *revocation.Checker {
	t.Helper()
	config := revocation.Config{Fetcher: w.net, Now: w.clock.now}
	for _, c := range changes {
		c(&config)
	}
	checker, err := revocation.New(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, checker.Close()) })
	return checker
}

func (w *wired) chain(of *identity) []*x509.Certificate {
	return []*x509.Certificate{of.cert, w.ca.cert, w.root.cert}
}

func leafOnly(c *revocation.Config) { c.Scope = revocation.LeafOnly }

func sources(s revocation.Sources) func(*revocation.Config) {
	return func(c *revocation.Config) { c.Sources = s }
}

// check checks the scene's client.
func (w *wired) check(t testing.TB, c *revocation.Checker) (certauth.Revocation, error) {
	t.Helper()
	return c.CheckChain(t.Context(), w.chain(w.client))
}

func revokedAt(at time.Time, reason int) []byte {
	return ocsptest.StatusRevoked(ocsptest.At(at), reason)
}
