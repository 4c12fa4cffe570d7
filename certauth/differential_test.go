package certauth_test

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/internal/chaingen"
)

// The errors of openssl verify, see openssl-verification-options(1).
const (
	opensslGood         = ""
	opensslNoIssuer     = "20" // unable to get local issuer certificate
	opensslNoIssuerRoot = "2"  // unable to get issuer certificate
	opensslSignature    = "7"  // certificate signature failure
	opensslSelfSigned   = "19" // self-signed certificate in certificate chain
	opensslPurpose      = "26" // unsupported certificate purpose
)

// opinion holds the two verdicts on a chain.
type opinion struct {
	chaingen.Chain
	openssl string          // the number of its error, empty if it accepts
	direct  string          // the same without the misleading CA certificate
	refused *certauth.Error // nil if we accept
}

// difference is a reason why the two verdicts may differ. It applies to the chains that have the
// property, and to no others.
type difference struct {
	section string // of RFC 5280, or what else says so
	why     string
	holds   func(o opinion) bool
}

// alone is the opinion about the path without the misleading certificate.
func (o opinion) alone() opinion {
	o.openssl, o.Stray = o.direct, nil
	return o
}

// accepts reports whether openssl accepts, or a row says why it does not.
func accepts(o opinion) bool {
	return o.openssl == opensslGood || slices.ContainsFunc(acceptedHere(), func(d difference) bool { return d.holds(o) })
}

// acceptedHere lists the chains that openssl refuses and that are accepted here.
func acceptedHere() []difference {
	return []difference{
		{"RFC 5280, section 4.2.1.1", "key identifiers facilitate path construction and are no part of validation; openssl takes a CA with another one for no issuer", func(o opinion) bool {
			return (o.openssl == opensslNoIssuer || o.openssl == opensslNoIssuerRoot) && o.Has("names another key identifier")
		}},
		{"RFC 4158, section 2.4", "of several paths one that is valid will do; openssl takes one certificate for each issuer and does not go back. It accepts the path alone", func(o opinion) bool {
			return o.Stray != nil && o.openssl != o.direct && accepts(o.alone())
		}},
		{"RFC 5280, section 3.2", "a self-issued CA is not self-signed and stands below the root; openssl takes it for a root that is not trusted", func(o opinion) bool {
			return o.openssl == opensslSelfSigned && o.Has("is self-issued")
		}},
		{"RFC 5280, section 6.1.3 (a) (1)", "of several keys of one name the signature decides; openssl takes the first certificate of the name and says that the signature fails", func(o opinion) bool {
			return o.openssl == opensslSignature && o.Has("is self-issued")
		}},
		{"RFC 5280, section 4.2.1.12", "anyExtendedKeyUsage puts no restriction on the use; openssl asks for clientAuth by its own name", func(o opinion) bool {
			return o.openssl == opensslPurpose && o.Has("any extended key usage")
		}},
	}
}

// refusedHere lists the chains that openssl accepts and that are refused here.
var refusedHere = []difference{
	{"the library's own rule, see Chain", "a CA certificate is no client", func(o opinion) bool {
		return o.refused.Reason == certauth.ReasonCertificateIsCA && o.Has("leaf is a CA")
	}},
	{"RFC 5280, section 6.1.4 (k)", "a CA has the basic constraints of one; openssl takes keyCertSign for as much", func(o opinion) bool {
		return o.Has("has no basic constraints")
	}},
	{"RFC 5280, section 4.2.1.10", "a minimum or a maximum is processed or refused by whoever reads the constraint; openssl looks at it where a name of the form occurs", func(o opinion) bool {
		return refusedFor(o, "name constraints") && o.Has("has a maximum in its constraints")
	}},
	{"RFC 5280, section 4.2.1.10", "a wildcard stands for every name that it covers, so it is inside an excluded name that is one of them, and not inside a permitted one of them", func(o opinion) bool {
		return refusedFor(o, "*.host.example") && o.Has("leaf has a wildcard")
	}},
}

func refusedFor(o opinion, words string) bool { return strings.Contains(o.refused.Error(), words) }

// Random chains that are also judged by the OpenSSL program. CERTAUTH_SEED repeats a run;
// CERTAUTH_EXHAUSTIVE=1 makes ten times as many.
func TestChain_DecidesAsOpenSSLDoes(t *testing.T) {
	requireOpenSSL(t)
	seed, count := chainSeed(t)
	generator, err := chaingen.New(seed)
	require.NoError(t, err)
	opinions := make([]opinion, count)
	for i := range opinions {
		opinions[i].Chain, err = generator.Chain(i)
		require.NoError(t, err, "seed %d, chain %d", seed, i)
	}
	askOpenSSL(t, opinions)
	var both, neither, here, there int
	for i := range opinions {
		o := &opinions[i]
		o.refused = ourOpinion(t, o.Chain, i%2 == 0)
		allowed := acceptedHere()
		switch {
		case o.openssl == opensslGood && o.refused == nil:
			both++
			continue
		case o.openssl != opensslGood && o.refused != nil:
			neither++
			continue
		case o.refused != nil:
			allowed = refusedHere
			there++
		default:
			here++
		}
		assert.True(t, slices.ContainsFunc(allowed, func(d difference) bool { return d.holds(*o) }),
			"no line says why, seed %d, chain %d: openssl error %q, here %v\n%s\n%s", seed, i, o.openssl, o.refused, strings.Join(o.Traits, "\n"), chaingen.PEM(append([]*x509.Certificate{o.Leaf, o.Root}, o.Others...)...))
	}
	t.Logf("both accept %d, both refuse %d; accepted only here %d, only by openssl %d", both, neither, here, there)
	assert.Greater(t, both, count/8, "too few valid chains to be meaningful")
	assert.Greater(t, neither, count/8, "too few invalid chains to be meaningful")
}

// chainSeed returns the seed in CERTAUTH_SEED or a new one, and the number of chains.
func chainSeed(t *testing.T) (seed uint64, count int) {
	t.Helper()
	seed, count = rand.Uint64(), 200
	if text := os.Getenv("CERTAUTH_SEED"); text != "" {
		given, err := strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
		seed = given
	}
	if os.Getenv("CERTAUTH_EXHAUSTIVE") == "1" {
		count = 2000
	}
	t.Logf("CERTAUTH_SEED=%d repeats these %d chains", seed, count)
	return seed, count
}

// ourOpinion judges with the CAs configured, or with them sent along.
func ourOpinion(t *testing.T, c chaingen.Chain, sent bool) *certauth.Error {
	t.Helper()
	chain := certauth.Chain{Roots: certauth.PEM(chaingen.PEM(c.Root)), MaxDepth: 10}
	if !c.Root.IsCA {
		return &certauth.Error{Reason: certauth.ReasonNotConfigured, Err: fmt.Errorf("the root is not a CA")}
	}
	offered := []*x509.Certificate{c.Leaf}
	var cas []*x509.Certificate
	for _, ca := range c.Others {
		if sent || !ca.IsCA { // a root that is not a CA is an error of New
			offered = append(offered, ca)
		} else {
			cas = append(cas, ca)
		}
	}
	if len(cas) > 0 {
		chain.Intermediates = certauth.Certificates(cas...)
	}
	auth, err := certauth.New(certauth.Config{Source: fixedSource("test", offered...), Policy: chain, Now: func() time.Time { return chaingen.Now }})
	require.NoError(t, err)
	_, err = auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
	if err == nil {
		return nil
	}
	var refused *certauth.Error
	require.ErrorAs(t, err, &refused)
	return refused
}

// requireOpenSSL skips the test if the program is missing, unless CERTAUTH_REQUIRE_REAL requires
// it.
func requireOpenSSL(t *testing.T) {
	t.Helper()
	version, err := exec.CommandContext(t.Context(), "openssl", "version").Output()
	if err == nil && bytes.HasPrefix(version, []byte("OpenSSL 3")) {
		return
	}
	if os.Getenv("CERTAUTH_REQUIRE_REAL") == "1" {
		t.Fatalf("CERTAUTH_REQUIRE_REAL=1: OpenSSL 3 is not installed, or another program has its name: %s", version)
	}
	t.Skip("OpenSSL 3 is not installed, or another program has its name; CERTAUTH_REQUIRE_REAL=1 asks for it")
}

var opensslError = regexp.MustCompile(`(?m)^error (\d+) at `)

// askOpenSSL starts one process for each chain, a few at a time.
func askOpenSSL(t *testing.T, opinions []opinion) {
	t.Helper()
	folder, when := t.TempDir(), strconv.FormatInt(chaingen.Now.Unix(), 10)
	const workers = 4
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			for i := worker; i < len(opinions); i += workers {
				o := &opinions[i]
				file := func(kind string, certs ...*x509.Certificate) string {
					name := filepath.Join(folder, fmt.Sprintf("%s-%d.pem", kind, worker))
					assert.NoError(t, os.WriteFile(name, chaingen.PEM(certs...), 0o600))
					return name
				}
				root, leaf := file("root", o.Root), file("leaf", o.Leaf)
				ask := func(others []*x509.Certificate) string {
					arguments := []string{"verify", "-purpose", "sslclient", "-policy_check", "-attime", when, "-no-CApath", "-no-CAstore", "-CAfile", root}
					if len(others) > 0 {
						arguments = append(arguments, "-untrusted", file("others", others...))
					}
					output, err := exec.CommandContext(t.Context(), "openssl", append(arguments, leaf)...).CombinedOutput()
					number := opensslError.FindSubmatch(output)
					switch {
					case err == nil && bytes.HasSuffix(output, []byte(": OK\n")):
						return opensslGood
					case err != nil && number != nil:
						return string(number[1])
					}
					assert.Failf(t, "openssl verify says neither OK nor an error", "chain %d: %v: %s", i, err, output)
					return "none"
				}
				o.openssl = ask(o.Others)
				o.direct = o.openssl
				if o.Stray != nil {
					o.direct = ask(slices.DeleteFunc(slices.Clone(o.Others), o.Stray.Equal))
				}
			}
		})
	}
	group.Wait()
}
