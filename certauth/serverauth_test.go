package certauth_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/asn1"
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

func mustOID(t testing.TB, dotted string) asn1.ObjectIdentifier {
	t.Helper()
	id, err := x509.ParseOID(dotted)
	require.NoError(t, err)
	var parsed asn1.ObjectIdentifier
	der, err := id.MarshalBinary()
	require.NoError(t, err)
	_, err = asn1.Unmarshal(append([]byte{6, byte(len(der))}, der...), &parsed)
	require.NoError(t, err)
	return parsed
}

// Public CAs stop issuing for clientAuth (Chrome root programme, June 2026). The test shows what is
// refused by default, what AcceptServerAuth accepts, and what neither accepts.
func TestServerAuth_EightShapesUnderChainAndPin(t *testing.T) {
	const yes, no = certauth.ReasonNone, certauth.ReasonUsageNotAllowed
	for _, tc := range []struct {
		name     string
		leaf, ca certauthtest.Template
		// by chain and by pin: default, and with AcceptServerAuth
		chain, chainAccepting, pin, pinAccepting certauth.Reason
		why                                      bool // the event says why
	}{
		{"client leaf, free CA", clientOnly, noUsage, yes, yes, yes, yes, false},
		{"server leaf, free CA", serverOnly, noUsage, no, yes, no, yes, true},
		{"leaf of both, free CA", bothUsages, noUsage, yes, yes, yes, yes, false},
		{"free leaf, free CA", noUsage, noUsage, yes, yes, yes, yes, false},
		{"client leaf, server CA", clientOnly, serverOnly, no, no, yes, yes, false},
		{"server leaf, server CA", serverOnly, serverOnly, no, yes, no, yes, true},
		{"leaf of both, server CA", bothUsages, serverOnly, no, yes, yes, yes, true},
		{"free leaf, server CA", noUsage, serverOnly, no, yes, yes, yes, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := newRoot(t, "Root")
			issuing := root.newCA(t, "TLS Issuing", tc.ca)
			leaf := issuing.newClient(t, tc.leaf).Certificate
			chain := certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(issuing)}
			accepting := func(p certauth.Policy) certauth.Policy {
				return certauth.AcceptServerAuth{Reason: "partner 7 has no private CA before 2027", Policy: p}
			}
			refused := everyWay(t, tc.chain, chain, leaf)
			everyWay(t, tc.chainAccepting, accepting(chain), leaf)
			everyWay(t, tc.chainAccepting, accepting(certauth.Chain{Roots: certsFrom(root)}), leaf, issuing.Certificate)
			for _, pin := range []certauth.Policy{certauth.Thumbprints{thumbprint(leaf)}, certauth.Certificates(leaf), certauth.PublicKeys{spkiPin(leaf)}} {
				everyWay(t, tc.pin, pin, leaf)
				everyWay(t, tc.pinAccepting, accepting(certauth.All{pin}), leaf)
			}
			if refused != nil && tc.leaf != nil && tc.chain == no {
				assert.NotContains(t, refused.Error(), "clientAuth, serverAuth, want clientAuth")
			}

			var log bytes.Buffer
			var event certauth.Event
			auth, err := certauth.New(certauth.Config{
				Source: fixedSource("s", leaf), Policy: accepting(chain),
				Logger:  slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
				Observe: func(_ context.Context, e certauth.Event) { event = e },
			})
			require.NoError(t, err)
			for range 2 {
				log.Reset()
				got := through(t, auth.Handler, request())
				if tc.chainAccepting == no {
					assert.Equal(t, http.StatusUnauthorized, got.status)
					continue
				}
				assert.Equal(t, http.StatusOK, got.status)
				if tc.why {
					assert.Equal(t, "partner 7 has no private CA before 2027", event.ServerAuth)
					assert.Contains(t, log.String(), `server_auth="partner 7 has no private CA before 2027"`)
				} else {
					assert.Empty(t, event.ServerAuth)
					assert.NotContains(t, log.String(), "server_auth")
				}
			}
		})
	}
}

var bothUsages = certauthtest.Usage(x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)

// It applies only inside the policy; the event of a pin also gives the reason.
func TestServerAuth_HoldsWithinAndIsVisible(t *testing.T) {
	root := newRoot(t, "Root")
	server := root.newClient(t, serverOnly).Certificate
	mail := root.newClient(t, certauthtest.Usage(x509.ExtKeyUsageEmailProtection)).Certificate
	accepting := certauth.AcceptServerAuth{Reason: "until the partner has a private CA", Policy: root.roots()}
	everyWay(t, certauth.ReasonUsageNotAllowed, accepting, mail)
	everyWay(t, certauth.ReasonUsageNotAllowed, certauth.All{accepting, root.roots()}, server)
	everyWay(t, certauth.ReasonUsageNotAllowed, certauth.All{root.roots(), accepting}, server)
	everyWay(t, certauth.ReasonNone, certauth.Any{root.roots(), accepting}, server)
	everyWay(t, certauth.ReasonUsageNotAllowed, certauth.AcceptServerAuth{Reason: "x", Policy: root.roots()}, root.newClient(t, noPurpose).Certificate)

	auth, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: accepting})
	require.NoError(t, err)
	assert.Contains(t, auth.String(), "  serverAuth accepted for clientAuth, because: \"until the partner has a private CA\"\n    chain (")

	for name, policy := range map[string]certauth.Policy{
		"pin":          certauth.AcceptServerAuth{Reason: "agreed with them", Policy: certauth.Thumbprints{thumbprint(server)}},
		"pin or chain": certauth.Any{root.roots(), certauth.AcceptServerAuth{Reason: "agreed with them", Policy: certauth.Certificates(server)}},
	} {
		var events []certauth.Event
		auth, err = certauth.New(certauth.Config{Source: fixedSource("s", server), Policy: policy, Observe: func(_ context.Context, e certauth.Event) { events = append(events, e) }})
		require.NoError(t, err)
		through(t, auth.Handler, request())
		require.Len(t, events, 1, name)
		assert.Equal(t, "agreed with them", events[0].ServerAuth, name)
	}
}

func TestServerAuth_MistakesAreReported(t *testing.T) {
	roots := certsFrom(newRoot(t, "Root"))
	chain := certauth.Chain{Roots: roots}
	named := certauth.DNSNames{"a.example"}
	runMisconfigured(t, []misconfigured{
		{"no reason", certauth.AcceptServerAuth{Policy: chain}, []string{`Policy.AcceptServerAuth.Reason: ""; give the reason in words`}},
		{"a blank reason", certauth.AcceptServerAuth{Reason: " ", Policy: chain}, []string{`Policy.AcceptServerAuth.Reason: " "; give the reason in words`}},
		{"no policy", certauth.AcceptServerAuth{Reason: "x"}, []string{"Policy.AcceptServerAuth: nil policy", "Policy.AcceptServerAuth: contains neither a Chain nor a pin, so it has no effect; put the anchor into it"}},
		{"nothing to apply to", certauth.All{chain, certauth.AcceptServerAuth{Reason: "x", Policy: named}}, []string{"Policy.All[1].AcceptServerAuth: contains neither a Chain nor a pin, so it has no effect; put the anchor into it"}},
		{"the system's roots", certauth.All{certauth.AcceptServerAuth{Reason: "x", Policy: certauth.Chain{Roots: certauth.InsecureSystemRoots()}}, named}, []string{
			"Policy.All[0].AcceptServerAuth.Chain.Roots: the system's roots within AcceptServerAuth would accept the certificate of any web server; name the CAs you trust",
		}},
		{"StrictEKU", certauth.AcceptServerAuth{Reason: "x", Policy: certauth.Chain{Roots: roots, StrictEKU: true}}, []string{
			"Policy.AcceptServerAuth.Chain.StrictEKU: requires clientAuth, but the AcceptServerAuth around it does not; remove one of them",
		}},
		{"under Not", certauth.All{chain, certauth.Not{Policy: certauth.AcceptServerAuth{Reason: "x", Policy: chain}}}, []string{"Policy.All[1].Not.AcceptServerAuth.Chain: not allowed under Not; only rules on names, issuers and extensions are"}},
	})
}
