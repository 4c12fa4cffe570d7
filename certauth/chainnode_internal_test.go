package certauth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
)

// crowd is a policy with one Chain for each partner, and the leaf of a caller.
type crowd struct {
	auth *Authenticator
	leaf *x509.Certificate
}

func newCrowd(t testing.TB, last Chain, leaf *x509.Certificate, others ...Chain) *crowd {
	t.Helper()
	var partners Any
	for i, chain := range append(others, last) {
		partners = append(partners, Named{Name: fmt.Sprint("partner ", i), Policy: chain})
	}
	c := &crowd{leaf: leaf}
	auth, err := New(Config{
		Source: SourceFunc{Name: "test", Func: func(*http.Request) ([]*x509.Certificate, error) { return []*x509.Certificate{c.leaf}, nil }},
		Policy: partners,
	})
	require.NoError(t, err)
	c.auth = auth
	return c
}

func (c *crowd) check(ctx context.Context) (*Identity, error) {
	return c.auth.Check(httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx))
}

func chainTo(ca *certauthtest.CA) Chain { return Chain{Roots: Certificates(ca.Certificate)} }

// finding S3: from the 17th Chain of a policy on, a known caller caused a search with every
// request, and waited for it behind the unknown callers.
func TestChain_KnownCallersAreNotSearchedForAgain(t *testing.T) {
	others := func(n int, name func(i int) string) func(*certauthtest.CA) []Chain {
		return func(*certauthtest.CA) (all []Chain) {
			for i := range n {
				all = append(all, chainTo(certauthtest.NewCA(t, name(i))))
			}
			return all
		}
	}
	another := func(i int) string { return fmt.Sprint("Root ", i) }
	for _, tc := range []struct {
		name   string
		others func(root *certauthtest.CA) []Chain
	}{
		{"16 other partners", others(16, another)},
		{"63 other partners", others(63, another)},
		{"255 other partners", others(255, another)},
		{"40 CAs of the same name", others(40, func(int) string { return "Partner Root" })},
		{"a CA of the same name without key identifier", func(*certauthtest.CA) []Chain {
			bare := *certauthtest.NewCA(t, "Partner Root").Certificate
			bare.SubjectKeyId = nil
			return []Chain{{Roots: Certificates(&bare)}}
		}},
		{"the same CA, which has ended", func(root *certauthtest.CA) []Chain {
			return []Chain{{Roots: Certificates(again(t, root, certauthtest.Valid(time.Now().AddDate(-3, 0, 0), time.Now().AddDate(-1, 0, 0))))}}
		}},
		{"a demand that the leaf does not meet", func(root *certauthtest.CA) []Chain {
			return []Chain{{Roots: Certificates(root.Certificate), StrictEKU: true}}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				root := certauthtest.NewCA(t, "Partner Root")
				others := tc.others(root)
				c := newCrowd(t, chainTo(root), root.Issue(t, "client", certauthtest.Usage()).Certificate, others...)
				for range 2 {
					_, err := c.check(t.Context())
					require.NoError(t, err)
				}
				defer c.holdEveryPlace()()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				id, err := c.check(ctx)
				require.NoError(t, err)
				assert.Equal(t, []string{fmt.Sprint("partner ", len(others))}, id.Matched)
			})
		})
	}
}

// holdEveryPlace prevents all further searches, as a flood of unknown callers does, until release is
// called.
func (c *crowd) holdEveryPlace() (release func()) {
	held := make(chan struct{})
	for range max(1, runtime.GOMAXPROCS(0)-1) {
		go c.auth.searches.queue.Do(true, func() { <-held })
	}
	synctest.Wait()
	return func() { close(held) }
}

// again certifies the key and the name of the CA again, by itself.
func again(t testing.TB, ca *certauthtest.CA, change ...certauthtest.Template) *x509.Certificate {
	t.Helper()
	change = append(change, certauthtest.AsCA(), certauthtest.Usage(), func(c *x509.Certificate) {
		c.RawSubject, c.SubjectKeyId = ca.Certificate.RawSubject, ca.Certificate.SubjectKeyId
	})
	return ca.IssueFor(t, certified{public: ca.Certificate.PublicKey}, "", change...).Certificate
}

// certified replaces a key of which only the certificate is needed.
type certified struct {
	crypto.Signer

	public crypto.PublicKey
}

func (c certified) Public() crypto.PublicKey { return c.public }

// The same if the CA of another branch, with the name and key of the leaf's issuer, has expired: a
// refusal because of a date is valid until a date passes.
func TestChain_RefusalForADateIsRememberedUntilOnePasses(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		now := time.Now()
		long := certauthtest.Valid(now.AddDate(-5, 0, 0), now.AddDate(5, 0, 0))
		root := certauthtest.NewCA(t, "Root", long)
		later := again(t, root, certauthtest.Valid(now.Add(time.Hour), now.AddDate(1, 0, 0)))
		c := newCrowd(t, chainTo(root), root.Issue(t, "client", long).Certificate, Chain{Roots: Certificates(later)})
		for range 2 {
			id, err := c.check(t.Context())
			require.NoError(t, err)
			assert.Equal(t, []string{"partner 1"}, id.Matched)
		}
		release := c.holdEveryPlace()
		_, err := c.check(t.Context())
		require.NoError(t, err)
		release()
		time.Sleep(time.Hour) //nolint:forbidigo // the clock of the bubble
		id, err := c.check(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{"partner 0", "partner 1"}, id.Matched)
	})
}

// A caller whose issuer is not configured costs neither a search nor a place in the queue, however
// many Chain policies there are.
func TestChain_UnknownIssuerTakesNoSearch(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		root, stranger := certauthtest.NewCA(t, "Root"), certauthtest.NewCA(t, "Stranger")
		c := newCrowd(t, chainTo(root), stranger.Issue(t, "client").Certificate, chainTo(certauthtest.NewCA(t, "Root 2")))
		defer c.holdEveryPlace()()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := c.check(ctx)
		var refused *Error
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, ReasonChainUntrusted, refused.Reason)
		assert.Equal(t, "Policy.Any[0].Named(\"partner 0\").Chain", refused.Rule)
		assert.Contains(t, refused.Error(), `no path to 1 root, leaf issuer "CN=Stranger,O=certauthtest" is not configured`)
		assert.Contains(t, refused.Hint, "add the issuing CA to Chain.Intermediates, or to Chain.Roots if it is a root", "finding N162: the second half was missing")
	})
}

// Equal Chain policies are searched once, and report their own paths.
func TestChain_SameSettingsShareOneNode(t *testing.T) {
	root, other := certauthtest.NewCA(t, "Root"), certauthtest.NewCA(t, "Root")
	file := filepath.Join(t.TempDir(), "roots.pem")
	require.NoError(t, os.WriteFile(file, root.PEM(), 0o600))
	text := PEM(root.PEM())
	function := CertFunc(func(context.Context) ([]*x509.Certificate, error) { return []*x509.Certificate{root.Certificate}, nil })
	for _, tc := range []struct {
		name string
		a, b Chain
		want int
	}{
		{"the same certificates", chainTo(root), chainTo(root), 1},
		{"other certificates", chainTo(root), chainTo(other), 2},
		{"the same file", Chain{Roots: PEMFile(file)}, Chain{Roots: PEMFile(file)}, 1},
		{"the same text", Chain{Roots: text}, Chain{Roots: PEM(root.PEM())}, 1},
		{"a text and a file", Chain{Roots: text}, Chain{Roots: PEMFile(file)}, 2},
		{"a function, which nobody can compare", Chain{Roots: function}, Chain{Roots: function}, 2},
		{"another depth", Chain{Roots: text}, Chain{Roots: text, MaxDepth: 2}, 2},
		{"the default depth", Chain{Roots: text}, Chain{Roots: text, MaxDepth: defaultMaxDepth}, 1},
		{"other intermediates", Chain{Roots: text}, Chain{Roots: text, Intermediates: text}, 2},
		{"another strictness", Chain{Roots: text}, Chain{Roots: text, StrictEKU: true}, 2},
		{"the system's roots", Chain{Roots: InsecureSystemRoots()}, Chain{Roots: InsecureSystemRoots()}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			auth, err := New(Config{
				Source: SourceFunc{Name: "test", Func: func(*http.Request) ([]*x509.Certificate, error) { return nil, nil }},
				Policy: All{Any{tc.a, tc.b}, DNSNames{"a.example"}},
			})
			require.NoError(t, err)
			assert.Len(t, auth.chains.nodes, tc.want)
		})
	}
	t.Run("a text that was overwritten since", func(t *testing.T) {
		auth, err := New(Config{
			Source: SourceFunc{Name: "test", Func: func(*http.Request) ([]*x509.Certificate, error) { return nil, nil }},
			Policy: All{Chain{Roots: text}, DNSNames{"a.example"}},
		})
		require.NoError(t, err)
		reused := make(PEM, 4096)
		write := func(text []byte) {
			n := copy(reused, text)
			copy(reused[n:], bytes.Repeat([]byte("\n"), len(reused)))
		}
		write(root.PEM())
		auth.Require(Chain{Roots: reused, MaxDepth: 1})
		write(other.PEM())
		auth.Require(Chain{Roots: reused, MaxDepth: 1})
		assert.Len(t, auth.chains.nodes, 3, "the second route has roots of its own")
	})
	t.Run("another clock skew", func(t *testing.T) {
		auth, err := New(Config{
			Source: SourceFunc{Name: "test", Func: func(*http.Request) ([]*x509.Certificate, error) { return nil, nil }},
			Policy: Any{chainTo(root), All{chainTo(root), Validity{ClockSkew: time.Minute}}},
		})
		require.NoError(t, err)
		assert.Len(t, auth.chains.nodes, 2)
	})
	t.Run("each refuses under its own path", func(t *testing.T) {
		leaf := root.Issue(t, "client", certauthtest.Valid(time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, -1))).Certificate
		auth, err := New(Config{
			Source: SourceFunc{Name: "test", Func: func(*http.Request) ([]*x509.Certificate, error) { return []*x509.Certificate{leaf}, nil }},
			Policy: All{Any{All{Certificates(root.Certificate), chainTo(root)}, chainTo(root)}},
		})
		require.NoError(t, err)
		_, err = auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
		var refused *Error
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, "Policy.All[0].Any[1].Chain", refused.Rule)
	})
}

// More different Chain policies than there are places is a mistake, in New and in Require;
// repeating the same one is not.
func TestNew_TooManyDifferentChainsIsAMistake(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	source := SourceFunc{Name: "test", Func: func(*http.Request) ([]*x509.Certificate, error) { return nil, nil }}
	function := CertFunc(func(context.Context) ([]*x509.Certificate, error) { return []*x509.Certificate{root.Certificate}, nil })
	var many, same Any
	for range maxChainNodes {
		many = append(many, Chain{Roots: function})
		same = append(same, chainTo(root), chainTo(root), chainTo(root), chainTo(root))
	}
	_, err := New(Config{Source: source, Policy: same})
	require.NoError(t, err)
	auth, err := New(Config{Source: source, Policy: many})
	require.NoError(t, err)
	assert.PanicsWithValue(t, "certauth: 1 mistake in Config:\nRequire.Chain: more than 256 different Chain policies; put CAs with the same settings into one Chain, and distinguish callers by rules after it", func() {
		auth.Require(chainTo(root))
	})
	_, err = New(Config{Source: source, Policy: append(many, Chain{Roots: function}, Chain{Roots: function})})
	require.Error(t, err)
	assert.Equal(t, 1, strings.Count(err.Error(), "more than 256 different Chain policies"), "%v", err)
}

// A known caller costs one word for each unrelated Chain.
func TestMemory_OfRefusalsByOtherChains(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	const callers = 300
	root := certauthtest.NewCA(t, "Root")
	var others []Chain
	for i := range maxChainNodes - 1 {
		others = append(others, chainTo(certauthtest.NewCA(t, fmt.Sprint("Root ", i))))
	}
	var leaves [callers]*x509.Certificate
	for i := range leaves {
		leaves[i] = root.Issue(t, "client").Certificate
	}
	each := func(c *crowd) float64 {
		c.leaf = leaves[0]
		_, err := c.check(t.Context())
		require.NoError(t, err)
		before := heap()
		for range 2 {
			for _, leaf := range leaves {
				c.leaf = leaf
				_, err := c.check(t.Context())
				require.NoError(t, err)
			}
		}
		grown := heap() - before
		runtime.KeepAlive(c)
		return float64(grown) / callers
	}
	one, all := each(newCrowd(t, chainTo(root), nil)), each(newCrowd(t, chainTo(root), nil, others...))
	t.Logf("%.0f bytes with one Chain, %.0f with %d", one, all, maxChainNodes)
	assert.Less(t, all-one, 12.0*maxChainNodes)
}
