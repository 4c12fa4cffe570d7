package certauth_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// Ways in that a review found once; each stays shut.

// A deny list that is written in openssl's order of a name must still deny, and a CA on
// it denies what it issued.
func TestDenied_BindsInEitherOrderAndToCAs(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	issuing := root.NewIntermediate(t, "Issuing")
	leaf := issuing.Issue(t, "client")
	chain := certauth.Chain{Roots: certauth.Certificates(root.Certificate), Intermediates: certauth.Certificates(issuing.Certificate)}
	denying := func(issuer string, cert *x509.Certificate) certauth.Policy {
		return certauth.All{chain, certauth.Denied{Serials: []certauth.IssuerSerial{{Issuer: issuer, Serial: fmt.Sprintf("%x", cert.SerialNumber)}}}}
	}
	runVerdicts(t, []verdict{
		{"RFC 4514's order", denying("CN=Issuing,O=certauthtest", leaf.Certificate), leaf.Certificate, certauth.ReasonCertificateDenied},
		{"openssl's order", denying("O = certauthtest, CN = Issuing", leaf.Certificate), leaf.Certificate, certauth.ReasonCertificateDenied},
		{"the issuing CA's own serial", denying("CN=Root,O=certauthtest", issuing.Certificate), leaf.Certificate, certauth.ReasonCertificateDenied},
		{"the serial under another issuer", denying("CN=Other,O=certauthtest", leaf.Certificate), leaf.Certificate, certauth.ReasonNone},
	})
}

// A name written the wrong way round differs from every certificate; Not must not make
// an acceptance of that.
func TestNot_ReversedNameAcceptsNobody(t *testing.T) {
	ca := certauthtest.NewCA(t, "CA")
	leaf := ca.Issue(t, "client").Certificate
	behind := func(p certauth.Policy) certauth.Policy {
		return certauth.All{certauth.Chain{Roots: certauth.Certificates(ca.Certificate)}, certauth.Not{Policy: p}}
	}
	runVerdicts(t, []verdict{
		{"the excluded issuer", behind(certauth.IssuerName{"CN=CA,O=certauthtest"}), leaf, certauth.ReasonPolicyRefused},
		{"the excluded issuer, reversed", behind(certauth.IssuerName{"O=certauthtest,CN=CA"}), leaf, certauth.ReasonIssuerNotAllowed},
		{"the excluded subject, reversed", behind(certauth.Subject{"O=certauthtest,CN=client"}), leaf, certauth.ReasonNameNotAllowed},
		{"another issuer", behind(certauth.IssuerName{"CN=Other,O=certauthtest"}), leaf, certauth.ReasonNone},
	})
	runMisconfigured(t, []misconfigured{
		{"a name that never binds", behind(certauth.CommonNames{"client "}), []string{`Policy.All[1].Not.CommonNames[0]: "client " has a space at an end`}},
	})
}

// A branch of Any is judged as if it stood alone: the chain that another branch verified
// is no help to it.
func TestAny_BranchesDoNotSeeEachOther(t *testing.T) {
	rootA, rootB := certauthtest.NewCA(t, "Root A"), certauthtest.NewCA(t, "Root B")
	viaA := rootA.NewIntermediate(t, "Issuing")
	leaf := viaA.Issue(t, "client")
	viaB := rootB.CrossSign(t, viaA)
	chainA := certauth.Chain{Roots: certauth.Certificates(rootA.Certificate), Intermediates: certauth.Certificates(viaA.Certificate)}
	chainB := certauth.Chain{Roots: certauth.Certificates(rootB.Certificate), Intermediates: certauth.Certificates(viaB)}
	byA := certauth.IssuedBy{Thumbprints: []string{thumbprint(viaA.Certificate)}}
	admin := certauth.Named{Name: "admin", Policy: certauth.All{chainB, byA}}

	_, err := judge(t, admin, leaf.Certificate)
	require.Error(t, err, "alone the branch refuses: B's chain goes through the other certificate")
	id, err := judge(t, certauth.Any{chainA, admin}, leaf.Certificate)
	require.NoError(t, err)
	assert.Empty(t, id.Matched)
	assert.Len(t, id.Chains, 1)

	id, err = judge(t, certauth.Any{certauth.Named{Name: "a", Policy: chainA}, certauth.Named{Name: "b", Policy: chainB}}, leaf.Certificate)
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b"}, id.Matched)
	assert.Len(t, id.Chains, 2, "behind the Any both count")

	runMisconfigured(t, []misconfigured{{
		"a name of a sibling",
		certauth.Any{certauth.Named{Name: "a", Policy: chainA}, certauth.All{chainB, certauth.Matched{"a"}}},
		[]string{`Policy.Any[1].All[1].Matched[0]: no Named before it is called "a"`},
	}})
}

// revokedBelow says revoked for chains that end in a root.
type revokedBelow struct{ root *x509.Certificate }

func (c revokedBelow) CheckChain(_ context.Context, chain []*x509.Certificate) (certauth.Revocation, error) {
	if chain[len(chain)-1].Equal(c.root) {
		return certauth.Revocation{Status: certauth.RevocationRevoked}, nil
	}
	return certauth.Revocation{Status: certauth.RevocationGood}, nil
}

// A chain that verifies behind NotRevoked is checked for revocation all the same.
func TestNotRevoked_HoldsForChainsThatVerifyLater(t *testing.T) {
	rootA, rootB := certauthtest.NewCA(t, "Root A"), certauthtest.NewCA(t, "Root B")
	issuing := rootA.NewIntermediate(t, "Issuing")
	leaf := issuing.Issue(t, "client")
	chainA := certauth.Chain{Roots: certauth.Certificates(rootA.Certificate), Intermediates: certauth.Certificates(issuing.Certificate)}
	chainB := certauth.Chain{Roots: certauth.Certificates(rootB.Certificate), Intermediates: certauth.Certificates(rootB.CrossSign(t, issuing))}
	good := certauth.NotRevoked{Checker: revokedBelow{rootB.Certificate}}
	runVerdicts(t, []verdict{
		{"the chain before it", certauth.All{chainA, good}, leaf.Certificate, certauth.ReasonNone},
		{"both before it", certauth.All{chainA, chainB, good}, leaf.Certificate, certauth.ReasonCertificateRevoked},
		{"one behind it", certauth.All{chainA, good, chainB}, leaf.Certificate, certauth.ReasonCertificateRevoked},
	})
	auth := must(t, certauth.Config{Source: fixedSource("s", leaf.Certificate), Policy: certauth.All{chainA, good}})
	g := through(t, func(h http.Handler) http.Handler { return auth.Handler(auth.Require(chainB)(h)) }, request())
	assert.Equal(t, 403, g.status, "one that only a route verifies")
}

func TestNew_FunctionThatHangsIsAMistakeNotAHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		deaf := certauth.CertFunc(func(context.Context) ([]*x509.Certificate, error) { <-hang; return nil, nil })
		start := time.Now()
		_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: certauth.Chain{Roots: deaf}})
		require.ErrorContains(t, err, "Policy.Chain.Roots: no answer in time")
		assert.Equal(t, 30*time.Second, time.Since(start))
		close(hang)
	})
}

func TestReload_KeepsTheCallersDeadline(t *testing.T) {
	ca := certauthtest.NewCA(t, "CA")
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		calls := 0
		auth := must(t, certauth.Config{Source: fixedSource("s"), Policy: certauth.Chain{Roots: certauth.CertFunc(func(context.Context) ([]*x509.Certificate, error) {
			if calls++; calls > 1 {
				<-hang
			}
			return []*x509.Certificate{ca.Certificate}, nil
		})}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, auth.Reload(ctx), context.DeadlineExceeded)
		require.ErrorContains(t, auth.Reload(t.Context()), "the previous reload is still running")
		close(hang)
		synctest.Wait()
		require.NoError(t, auth.Reload(t.Context()))
	})
}

func TestPolicy_StructAroundNilIsAMistake(t *testing.T) {
	type wrapped struct{ certauth.Policy }
	runMisconfigured(t, []misconfigured{
		{"as the policy", wrapped{}, []string{"Policy: cannot be compiled; does a struct embed a nil Policy?"}},
		{"nested", certauth.All{certauth.Thumbprints{pinOfNobody}, wrapped{}}, []string{"Policy.All[1]: cannot be compiled; does a struct embed a nil Policy?"}},
	})
}

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

func TestError_NilIsHarmless(t *testing.T) {
	var none *certauth.Error
	assert.NoError(t, none.Unwrap())
	assert.NotErrorIs(t, error(none), certauth.ReasonInternalError)
	assert.Equal(t, "certauth: no error", none.Error())
}

// What a later rule may build on is what the weakest branch of an Any establishes,
// wherever that branch stands.
func TestAny_LaterRulesBuildOnTheWeakestBranch(t *testing.T) {
	strong := certauth.Chain{Roots: certauth.Certificates(certauthtest.NewCA(t, "CA").Certificate)}
	weak := certauth.PublicKeys{pinOfNobody}
	const path = "Policy.All[1].DNSNames: a public-key pin does not vouch for names; add a Chain or pin the certificate"
	runMisconfigured(t, []misconfigured{
		{"the weak one first", certauth.All{certauth.Any{weak, strong}, certauth.DNSNames{"a.example"}}, []string{path}},
		{"the weak one last", certauth.All{certauth.Any{strong, weak}, certauth.DNSNames{"a.example"}}, []string{path}},
		{"the weak one between", certauth.All{certauth.Any{strong, weak, strong}, certauth.DNSNames{"a.example"}}, []string{path}},
	})
}

// A branch that could not be judged refuses the whole Any: another branch must not cover
// up what went wrong.
func TestAny_BrokenBranchRefusesTheWhole(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	pin := certauth.Certificates(leaf.Certificate)
	for _, reason := range []certauth.Reason{certauth.ReasonInternalError, certauth.ReasonRequestCanceled} {
		broken := certauth.All{pin, certauth.PolicyFunc{Name: "broken", Func: func(context.Context, *certauth.Identity) error {
			return &certauth.Error{Reason: reason}
		}}}
		runVerdicts(t, []verdict{
			{"before an accepting branch", certauth.Any{broken, pin}, leaf.Certificate, reason},
			{"behind an accepting branch, with a name", certauth.Any{pin, certauth.Named{Name: "n", Policy: broken}}, leaf.Certificate, reason},
		})
	}
}

func TestAny_RefusalTellsOfEveryBranch(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	pin := certauth.Certificates(leaf.Certificate)
	_, err := judge(t, certauth.Any{certauth.Thumbprints{pinOfNobody}, certauth.All{pin, certauth.CommonNames{"other"}}}, leaf.Certificate)
	require.EqualError(t, err, `certauth: Policy.Any[1].All[1].CommonNames: name_not_allowed: have 1 ("client"), want one of 1 ("other"); `+
		`Policy.Any[0].Thumbprints: pin_mismatch: the certificate is none of 1`)

	single, err := judge(t, certauth.Any{certauth.Thumbprints{pinOfNobody}}, leaf.Certificate)
	assert.Nil(t, single)
	require.EqualError(t, err, "certauth: Policy.Any[0].Thumbprints: pin_mismatch: the certificate is none of 1")

	many := certauth.Any{}
	for range 7 {
		many = append(many, certauth.All{pin, certauth.CommonNames{"o"}})
	}
	_, err = judge(t, many, leaf.Certificate)
	require.ErrorContains(t, err, "; and 2 more")
	assert.ErrorContains(t, err, "Policy.Any[0].", "of equals the first is named")
	assert.Equal(t, 5, strings.Count(err.Error(), "Policy.Any["))
}

func TestMatched_IsCheckedWhereItStands(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	named := certauth.Named{Name: "n", Policy: certauth.Certificates(leaf.Certificate)}
	runMisconfigured(t, []misconfigured{
		{"under Not", certauth.All{named, certauth.Not{Policy: certauth.Matched{"n"}}}, []string{
			"Policy.All[1].Not.Matched: cannot stand under Not; only rules on names, issuers and extensions can",
		}},
		{"before an anchor", certauth.Matched{"n"}, []string{
			"Policy.Matched: stands before any anchor; put a Chain or a pin in front of it",
			`Policy.Matched[0]: no Named before it is called "n"`,
		}},
	})
}

// What a branch of Any says about chains holds for the chains that later rules verify,
// whichever accepting branch said it.
func TestAny_RulesOnChainsInABranchHoldLater(t *testing.T) {
	ca := certauthtest.NewCA(t, "CA")
	leaf := ca.Issue(t, "client")
	chain := certauth.Chain{Roots: certauth.Certificates(ca.Certificate)}
	pin := certauth.Thumbprints{leaf.Thumbprint()}
	denied := certauth.Denied{PublicKeys: []string{spkiPin(ca.Certificate)}}
	harmless := certauth.Denied{PublicKeys: []string{pinOfNobody}}
	named := func(p ...certauth.Policy) certauth.Policy { return certauth.Named{Name: "n", Policy: certauth.All(p)} }
	runVerdicts(t, []verdict{
		{"in the only branch", certauth.All{certauth.Any{certauth.All{pin, denied}}, chain}, leaf.Certificate, certauth.ReasonCertificateDenied},
		{"in each branch", certauth.All{certauth.Any{certauth.All{pin, denied}, named(pin, denied)}, chain}, leaf.Certificate, certauth.ReasonCertificateDenied},
		{"in a later branch, of which nothing stays", certauth.All{certauth.Any{pin, named(pin, denied)}, chain}, leaf.Certificate, certauth.ReasonNone},
		{"behind one that has nothing to say", certauth.All{pin, harmless, denied, chain}, leaf.Certificate, certauth.ReasonCertificateDenied},
		{"in a branch that was not taken", certauth.All{certauth.Any{pin, certauth.All{pin, denied}}, chain}, leaf.Certificate, certauth.ReasonNone},
	})
}

func TestAny_AcceptingBranchesAreAddedUp(t *testing.T) {
	ca := certauthtest.NewCA(t, "CA")
	leaf := ca.Issue(t, "client")
	chain := certauth.Chain{Roots: certauth.Certificates(ca.Certificate)}
	good := certauth.NotRevoked{Checker: answer{certauth.Revocation{Status: certauth.RevocationGood, Source: "ocsp"}, nil}}
	other := certauth.NotRevoked{Checker: answer{certauth.Revocation{Status: certauth.RevocationGood, Source: "crl"}, nil}}
	key := certauth.PublicKeys{spkiPin(leaf.Certificate)}

	id, err := judge(t, certauth.Any{key, certauth.Named{Name: "n", Policy: certauth.All{chain, good}}}, leaf.Certificate)
	require.NoError(t, err)
	assert.True(t, id.NamesVouched(), "the strongest branch vouches")
	assert.Equal(t, "ocsp", id.Revocation.Source, "evidence of the branch that has some")

	id, err = judge(t, certauth.Any{certauth.Named{Name: "n", Policy: certauth.All{chain, good}}, certauth.Named{Name: "n", Policy: certauth.All{chain, other}}}, leaf.Certificate)
	require.NoError(t, err)
	assert.Equal(t, []string{"n"}, id.Matched, "a name once")
	assert.Equal(t, "ocsp", id.Revocation.Source, "the first evidence stays")
}

// A key has one encoding: another one that crypto/x509 reads too would pass a deny list.
func TestPin_KeyHasOneEncoding(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	twin := *leaf.Certificate
	twin.RawSubjectPublicKeyInfo = append([]byte(nil), twin.RawSubjectPublicKeyInfo...)
	twin.RawSubjectPublicKeyInfo[len(twin.RawSubjectPublicKeyInfo)-1] ^= 1
	_, err := judge(t, certauth.Certificates(leaf.Certificate), &twin)
	assertReason(t, certauth.ReasonCertificateMalformed, err)
	assert.ErrorContains(t, err, "canonical encoding")
}

// Everybody who comes after a quiet night waits for the reload, not only the first.
func TestReload_EveryRequestAfterAQuietNightWaits(t *testing.T) {
	s := newRotation(t)
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		auth := must(t, certauth.Config{
			Source: fixedSource("s", s.oldClient.Certificate), Now: s.clock.now,
			Policy: certauth.ThumbprintsFrom(certauth.PinFunc(func(context.Context) ([]string, error) {
				if calls++; calls == 1 {
					return []string{s.oldClient.Thumbprint()}, nil
				}
				time.Sleep(10 * time.Millisecond) //nolint:forbidigo // the bubble's clock: a source that takes its time
				return []string{pinOfNobody}, nil
			})),
		})
		s.clock.advance(10 * time.Hour)
		results := make(chan error, 5)
		for range cap(results) {
			go func() {
				_, err := auth.Check(request())
				results <- err
			}()
		}
		for range cap(results) {
			assertReason(t, certauth.ReasonPinMismatch, <-results)
		}
		synctest.Wait()
	})
}

func TestTrust_TrailersAreGoneAfterClose(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	auth := must(t, certauth.Config{Source: headerSource{cert: leaf.Certificate}, Policy: certauth.Certificates(leaf.Certificate), Optional: true})
	var left http.Header
	server := httptest.NewServer(auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		assert.NoError(t, r.Body.Close())
		left = r.Trailer
	})))
	defer server.Close()
	status := rawStatus(t, server.Listener.Addr().String(), "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-Foo\r\nConnection: close\r\n\r\n"+
		"1\r\na\r\n0\r\nX-Foo: b\r\nX-Client-Cert: victim\r\n\r\n")
	assert.Equal(t, 200, status)
	assert.Equal(t, http.Header{"X-Foo": {"b"}}, left)
}
