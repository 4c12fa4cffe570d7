package certauth_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

func TestTrust_EndlessConnectionHeaderIsRefused(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	auth := must(t, certauth.Config{Source: headerSource{cert: leaf.Certificate}, Policy: certauth.Certificates(leaf.Certificate)})
	for length, want := range map[int]int{4 << 10: 200, 4<<10 + 1: 401} {
		r := request()
		r.Header.Set("X-Client-Cert", "present")
		r.Header.Set("Connection", strings.Repeat("a", length))
		assert.Equal(t, want, through(t, auth.Handler, r).status, length)
	}
}

// The source's header is removed in every spelling, and nothing else is.
func TestTrust_OnlyTheSourcesHeadersAreStripped(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	d := newDoor(t, certauth.Config{Source: headerSource{cert: leaf.Certificate}, Policy: certauth.Certificates(leaf.Certificate), Optional: true})
	r := request()
	for _, name := range []string{"X-Client-Cert", "x-client-cert", "X_Client_Cert", "X.client-cert", "X-CLIENT.CERT"} {
		r.Header[name] = []string{"a", "b"}
	}
	for c := byte('A'); c <= 'Z'; c++ {
		d := newDoor(t, certauth.Config{Source: certauth.SourceFunc{
			Name: "s", Headers: []string{"X-" + string(c) + "-Cert"}, Func: func(*http.Request) ([]*x509.Certificate, error) { return nil, nil },
		}, Policy: certauth.Certificates(leaf.Certificate), Optional: true})
		r := request()
		lower := string(c + 'a' - 'A')
		for _, name := range []string{"X-" + string(c) + "-Cert", "x-" + lower + "-cert", "X_" + lower + "_cert", "x." + string(c) + ".CERT"} {
			r.Header[name] = []string{"a"}
		}
		status, _ := d.serve(r)
		require.Equal(t, 200, status)
		assert.Empty(t, d.header, string(c))
	}
	kept := http.Header{
		"X-Client-Cerx": {"same length"}, "Y-Client-Cert": {"same length"}, "X-Client-Cert2": {"longer"}, "Client-Cert": {"shorter"},
		"XaClientaCert": {"no separator"}, "Accept": {"*/*"}, longLabel(64): {"longer than any"},
	}
	for name, values := range kept {
		r.Header[name] = values
	}
	status, _ := d.serve(r)
	require.Equal(t, 200, status)
	assert.Equal(t, kept, d.header)
}

// Clients write names in any spelling and any case. A net/http server, over HTTP/1 and HTTP/2,
// stores names that fold to the source's header under keys that Handler knows, if there is nothing
// in front of it; middleware can write any keys. No handler sees any of them, whether there are few
// other headers or many.
func TestTrust_NoSpellingOfTheHeaderPasses(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	outside := map[string]func(http.Handler) http.Handler{
		"Handler is the server's own": func(h http.Handler) http.Handler { return h },
		"middleware writes raw keys": func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for _, name := range []string{"x-client-cert", "X-CLIENT_CERT", "x.Client-Cert", "x-Client.Chain"} {
					r.Header[name] = []string{"raw"}
				}
				h.ServeHTTP(w, r)
			})
		},
	}
	for name, wrap := range outside {
		for _, version := range []int{1, 2} {
			for _, many := range []int{0, 40} {
				t.Run(fmt.Sprintf("%s, HTTP/%d, %d others", name, version, many), func(t *testing.T) {
					auth := must(t, certauth.Config{
						Source: certauth.SourceFunc{
							Name:    "test",
							Headers: []string{"X-Client-Cert", "x.client_chain"},
							Func:    func(*http.Request) ([]*x509.Certificate, error) { return []*x509.Certificate{leaf.Certificate}, nil },
						},
						Policy: certauth.Certificates(leaf.Certificate),
					})
					seen := make(chan http.Header, 1)
					server := httptest.NewUnstartedServer(wrap(auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
						seen <- r.Header.Clone()
					}))))
					server.Config.Protocols = new(http.Protocols)
					server.Config.Protocols.SetHTTP1(version == 1)
					server.Config.Protocols.SetUnencryptedHTTP2(version == 2)
					server.Start()
					t.Cleanup(server.Close)
					client := &http.Client{Transport: &http.Transport{Protocols: server.Config.Protocols}}
					t.Cleanup(client.CloseIdleConnections)

					random := rand.New(rand.NewPCG(1, uint64(many)))
					request, err := http.NewRequest(http.MethodGet, server.URL, nil)
					require.NoError(t, err)
					for _, spelling := range spellings("x", "client", "cert") {
						request.Header[randomCase(random, spelling, version)] = []string{"forged"}
					}
					for _, spelling := range spellings("x", "client", "chain") {
						request.Header[randomCase(random, spelling, version)] = []string{"forged", "twice"}
					}
					for i := range many {
						request.Header.Set("X-Other-"+strconv.Itoa(i), "kept")
					}
					response, err := client.Do(request)
					require.NoError(t, err)
					defer response.Body.Close()
					require.Equal(t, http.StatusOK, response.StatusCode)
					header := <-seen
					kept := 0
					for key := range header {
						folded := strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(key))
						assert.NotContains(t, []string{"x-client-cert", "x-client-chain"}, folded, key)
						if strings.HasPrefix(key, "X-Other-") {
							kept++
						}
					}
					assert.Equal(t, many, kept)
				})
			}
		}
	}
}

// spellings joins the words with every choice of the separators that front ends fold.
func spellings(words ...string) []string {
	all := []string{words[0]}
	for _, word := range words[1:] {
		var longer []string
		for _, start := range all {
			for _, separator := range "-_." {
				longer = append(longer, start+string(separator)+word)
			}
		}
		all = longer
	}
	return all
}

// randomCase returns a name in mixed case, except for HTTP/2, which has none (RFC 9113, section
// 8.2).
func randomCase(random *rand.Rand, name string, version int) string {
	if version == 2 {
		return name
	}
	text := []byte(name)
	for i, c := range text {
		if 'a' <= c && c <= 'z' && random.IntN(2) == 0 {
			text[i] = c - 'a' + 'A'
		}
	}
	return string(text)
}

// Any number of names of a source, with any number of hyphens: names with a single spelling
// together with others, more spellings than are looked up individually, and exactly as many.
func TestTrust_NoSpellingOfAnyNamePasses(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	for name, names := range map[string][]string{
		"one of one spelling and another":       {"Cert", "X-Client-Cert"},
		"thirty-two spellings":                  {"Cert", "Chain", "X-Chain", "X-A-B-C"},
		"eighty-one spellings":                  {"X-A-B-C-D"},
		"none is left at the second of three":   {"A-B-C", "D-E-F", "G-H", "I", "J", "K-L-M-N"},
		"the limit is passed by the third name": {"A-B-C-D", "E-F", "G-H-I"},
	} {
		t.Run(name, func(t *testing.T) {
			auth := must(t, certauth.Config{
				Source: certauth.SourceFunc{
					Name: "test", Headers: names, Func: func(*http.Request) ([]*x509.Certificate, error) { return []*x509.Certificate{leaf.Certificate}, nil },
				},
				Policy: certauth.Certificates(leaf.Certificate),
			})
			seen := make(chan http.Header, 1)
			server := httptest.NewServer(auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header.Clone() })))
			t.Cleanup(server.Close)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
			require.NoError(t, err)
			for _, one := range names {
				for _, spelling := range spellings(strings.Split(one, "-")...) {
					request.Header[spelling] = []string{"forged"}
				}
			}
			for i := range 100 {
				request.Header.Set("Kept"+strconv.Itoa(i), "kept")
			}
			response, err := server.Client().Do(request)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, http.StatusOK, response.StatusCode)
			for key, values := range <-seen {
				assert.NotContains(t, values, "forged", key)
			}
		})
	}
}

// RFC 9110, section 7.6.1: a client can make a proxy drop the front end's header by naming it in
// Connection. A server also refuses this, with few other headers or many.
func TestTrust_ConnectionNamesTheHeader(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	auth := must(t, certauth.Config{Source: headerSource{cert: leaf.Certificate}, Policy: certauth.Certificates(leaf.Certificate)})
	server := httptest.NewServer(auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	t.Cleanup(server.Close)
	for _, many := range []int{0, 40} {
		for connection, want := range map[string]int{"close": 200, "close, x-client-cert": 401, "close, X_Client.Cert": 401} {
			text := "GET / HTTP/1.1\r\nHost: app.example\r\nX-Client-Cert: present\r\nConnection: " + connection + "\r\n"
			for i := range many {
				text += fmt.Sprintf("X-Other-%d: kept\r\n", i)
			}
			assert.Equal(t, want, rawStatus(t, server.Listener.Addr().String(), text+"\r\n"), "%s, %d others", connection, many)
		}
	}
}

// A wrong sender is reported first, and so is a panic, so that the operator examines the gate and
// not the client. Other mistakes of the certificate come after the Connection header.
func TestTrust_ConnectionComesAfterSenderAndPanic(t *testing.T) {
	for name, tc := range map[string]struct {
		answer func() error
		want   certauth.Reason
		words  bool
	}{
		"another sender": {func() error { return &certauth.Error{Reason: certauth.ReasonSourceUntrusted, Err: errors.New("peer")} }, certauth.ReasonSourceUntrusted, false},
		"a panic":        {func() error { panic("source") }, certauth.ReasonInternalError, false},
		"no certificate": {func() error { return nil }, certauth.ReasonCertificateMalformed, true},
		"not readable":   {func() error { return errors.New("base64") }, certauth.ReasonCertificateMalformed, true},
	} {
		auth := must(t, certauth.Config{
			Source: certauth.SourceFunc{Name: "s", Headers: []string{"X-Client-Cert"}, Func: func(*http.Request) ([]*x509.Certificate, error) { return nil, tc.answer() }},
			Policy: certauth.Thumbprints{pinOfNobody}, Optional: true,
		})
		r := request()
		r.Header.Set("Connection", "x-client-cert")
		_, err := auth.Check(r)
		assert.Equal(t, tc.want, reasonOf(err), "%s: %v", name, err)
		assert.Equal(t, tc.words, strings.Contains(err.Error(), "the Connection header names a header"), "%s: %v", name, err)
	}
}

// Middleware between Handler and Require can write the header again, under any key: the route's
// handler does not see it either.
func TestTrust_NoSpellingPassesARoute(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	auth := must(t, certauth.Config{Source: headerSource{cert: leaf.Certificate}, Policy: certauth.Certificates(leaf.Certificate)})
	var seen http.Header
	route := auth.Require(certauth.Certificates(leaf.Certificate))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header }))
	handler := auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"X-Client-Cert", "x-client-cert", "X-CLIENT_CERT", "x.Client-Cert"} {
			r.Header[name] = []string{"forged"}
		}
		route.ServeHTTP(w, r)
	}))
	for _, many := range []int{0, 40} {
		r := request()
		r.Header.Set("X-Client-Cert", "present")
		for i := range many {
			r.Header.Set("X-Other-"+strconv.Itoa(i), "kept")
		}
		seen = nil
		handler.ServeHTTP(httptest.NewRecorder(), r)
		require.NotNil(t, seen)
		assert.Len(t, seen, many)
	}
}
