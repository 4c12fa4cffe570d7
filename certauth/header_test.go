package certauth_test

import (
	"crypto/x509"
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

// The source's header goes in every spelling, and nothing else goes with it.
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

// Clients write names in any spelling and any case. A server of net/http, over HTTP/1 and over
// HTTP/2, stores what folds to the source's header under keys that Handler knows, if nothing
// stands in front of it; middleware can write keys as it likes. No handler sees any of them,
// with few headers beside them or many.
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

// spellings joins the words by every choice of the separators that front ends fold.
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

// randomCase writes a name in mixed case, which HTTP/2 does not have (RFC 9113, section 8.2).
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
