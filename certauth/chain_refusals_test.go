package certauth_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// attempt is a Chain and the certificates that a caller sends.
type attempt struct {
	chain certauth.Chain
	sent  []*x509.Certificate
}

// asking returns the attempt with Chain.Policies.
func (a attempt) asking(policy string) attempt {
	a.chain.Policies = []string{policy}
	return a
}

// The refusals of a chain that told an operator to add a CA that was present: each now names the
// certificate and the property, and its hint is the step that helps.
func wordsAboutChains(t *testing.T, row func(certauth.Reason)) {
	t.Helper()
	root := newRoot(t, "Root")
	sha1 := func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }
	critical := ext(true, []byte{5, 0}, 1, 3, 6, 1, 5, 5, 7, 1, 3)
	long := func(c *x509.Certificate) { c.NotBefore = time.Now().AddDate(-3, 0, 0) }
	ended := both(long, func(c *x509.Certificate) { c.NotAfter = time.Now().AddDate(-1, 0, 0) })
	direct := func(root *party, leaf *party) attempt {
		return attempt{root.roots(), []*x509.Certificate{leaf.Certificate}}
	}
	// below returns a leaf of a configured CA of that kind.
	below := func(change ...certauthtest.Template) attempt {
		issuing := root.newCA(t, "Issuing", change...)
		return attempt{certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(issuing)}, []*x509.Certificate{issuing.newClient(t).Certificate}}
	}
	deep := func(maximum int) attempt {
		chain, ca := certauth.Chain{Roots: certsFrom(root), MaxDepth: maximum}, root
		var middle []*party
		for range 5 {
			ca = ca.newCA(t, "Middle "+string(rune('A'+len(middle))))
			middle = append(middle, ca)
		}
		chain.Intermediates = certsFrom(middle...)
		return attempt{chain, []*x509.Certificate{ca.newClient(t).Certificate}}
	}
	// two returns a leaf of the lower one of two configured CAs.
	two := func(upper, lower []certauthtest.Template, leaf ...certauthtest.Template) attempt {
		above := root.newCA(t, "Upper", upper...)
		issuing := above.newCA(t, "Lower", lower...)
		return attempt{certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(above, issuing)}, []*x509.Certificate{issuing.newClient(t, leaf...).Certificate}}
	}
	mapping := ext(true, seq(t, seq(t, marshal(t, asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 4, 1}), marshal(t, asn1.ObjectIdentifier{0, 4, 0, 194112, 1, 4}))), 2, 5, 29, 33)
	// three returns a leaf below Top, which has that policy, and two CAs more.
	three := func(policy string, middle []certauthtest.Template) attempt {
		top := root.newCA(t, "Top", under(t, policy))
		upper := top.newCA(t, "Upper", middle...)
		lower := upper.newCA(t, "Lower", under(t, qcpWeb))
		return attempt{certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(top, upper, lower)}, []*x509.Certificate{lower.newClient(t, under(t, qcpWeb)).Certificate}}.asking(qcpWeb)
	}
	const addIssuing = "add the issuing CA"
	for _, tc := range []struct {
		name   string
		of     attempt
		reason certauth.Reason
		says   string
		hint   string
	}{
		{"SHA-1 on the leaf", direct(root, root.newClient(t, sha1)), certauth.ReasonChainUntrusted, "the leaf is signed with SHA-1 (ECDSA-SHA1)", "ask the CA for a certificate that is signed with SHA-256"},
		{"SHA-1 on an intermediate", below(sha1), certauth.ReasonChainUntrusted, `CA certificate "CN=Issuing,O=Partner Ltd" is signed with SHA-1`, "ask the CA for a certificate that is signed with SHA-256"},
		{"SHA-1 with RSA on the leaf", relabelled(t, pkcs1+"\x05"), certauth.ReasonChainUntrusted, "the leaf is signed with SHA-1 (SHA1-RSA)", "ask the CA for a certificate that is signed with SHA-256"},
		{"MD5 on the leaf", relabelled(t, pkcs1+"\x04"), certauth.ReasonChainUntrusted, "the leaf is signed with MD5, which is broken", "ask the CA for a certificate that is signed with SHA-256"},
		{"RSA-PSS with another salt", pssAttempt(t), certauth.ReasonChainUntrusted, "the leaf is signed with RSA-PSS with parameters that are not supported", "rsa_pss_saltlen:digest"},
		{"six CAs, five allowed", deep(0), certauth.ReasonChainUntrusted, "6 CA certificates above the leaf, want at most 5 (MaxDepth)", "set Chain.MaxDepth"},
		{"six CAs, two allowed", deep(2), certauth.ReasonChainUntrusted, "6 CA certificates above the leaf, want at most 2 (MaxDepth)", "set Chain.MaxDepth"},
		{"pathLenConstraint", func() attempt {
			limited := root.newCA(t, "Limited", func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 0, true })
			lower := limited.newCA(t, "Lower")
			return attempt{certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(limited, lower)}, []*x509.Certificate{lower.newClient(t).Certificate}}
		}(), certauth.ReasonChainUntrusted, `CA certificate "CN=Limited,O=Partner Ltd" allows 0 CA certificates below it (pathLenConstraint), the chain has 1`, "the partner's CA must issue"},
		{"a CA without keyCertSign", below(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }), certauth.ReasonChainUntrusted, `key usage of CA certificate "CN=Issuing,O=Partner Ltd": cRLSign, want keyCertSign`, "needs a new CA certificate"},
		{"requireExplicitPolicy", below(ext(true, []byte{0x30, 3, 0x80, 1, 0}, 2, 5, 29, 36)), certauth.ReasonChainUntrusted, `CA certificate "CN=Issuing,O=Partner Ltd" requires a certificate policy (requireExplicitPolicy), but none is valid down to the leaf, which has none`, "ask the partner which policy"},
		{"requireExplicitPolicy, but only of what is below the leaf's CA", below(ext(true, []byte{0x30, 3, 0x80, 1, 1}, 2, 5, 29, 36)), certauth.ReasonChainUntrusted, `CA certificate "CN=Issuing,O=Partner Ltd" requires a certificate policy (requireExplicitPolicy)`, "ask the partner which policy"},
		{"requireExplicitPolicy of the lower of two CAs", two(nil, []certauthtest.Template{ext(true, []byte{0x30, 3, 0x80, 1, 0}, 2, 5, 29, 36)}), certauth.ReasonChainUntrusted, `CA certificate "CN=Lower,O=Partner Ltd" requires a certificate policy (requireExplicitPolicy)`, "ask the partner which policy"},
		{"requireExplicitPolicy of the leaf", direct(root, root.newClient(t, ext(true, []byte{0x30, 3, 0x80, 1, 0}, 2, 5, 29, 36))), certauth.ReasonChainUntrusted, "no certificate policy is valid for the whole chain", "ask the partner which policy"},
		{"another policy of the CA than asked", two([]certauthtest.Template{under(t, qcpWeb)}, []certauthtest.Template{under(t, other)}, under(t, qcpWeb)).asking(qcpWeb), certauth.ReasonChainUntrusted, `certificate policies of CA certificate "CN=Lower,O=Partner Ltd": 1.3.6.1.4.1.99999.4.1; want 0.4.0.194112.1.4`, "ask the partner which policy"},
		{"the same below a CA for any policy", two([]certauthtest.Template{under(t, "2.5.29.32.0")}, []certauthtest.Template{under(t, other)}, under(t, qcpWeb)).asking(qcpWeb), certauth.ReasonChainUntrusted, `certificate policies of CA certificate "CN=Lower,O=Partner Ltd": 1.3.6.1.4.1.99999.4.1; want 0.4.0.194112.1.4`, "ask the partner which policy"},
		{"the same below a CA that maps its policy", two([]certauthtest.Template{under(t, other), mapping}, []certauthtest.Template{under(t, other)}, under(t, qcpWeb)).asking(qcpWeb), certauth.ReasonChainUntrusted, `certificate policies of CA certificate "CN=Lower,O=Partner Ltd": 1.3.6.1.4.1.99999.4.1; want 0.4.0.194112.1.4`, "ask the partner which policy"},
		{"no policy of the CA where any is asked", two(nil, nil, under(t, other)).asking("2.5.29.32.0"), certauth.ReasonChainUntrusted, `: none; want 2.5.29.32.0 in every certificate below the root`, "ask the partner which policy"},
		{"another policy than asked", func() attempt {
			chain := root.roots()
			chain.Policies = []string{qcpWeb}
			return attempt{chain, []*x509.Certificate{root.newClient(t, under(t, other)).Certificate}}
		}(), certauth.ReasonChainUntrusted, "certificate policies of the leaf: 1.3.6.1.4.1.99999.4.1; want 0.4.0.194112.1.4 in every certificate below the root (Policies)", "ask the partner which policy"},
		{"a critical extension on the leaf", direct(root, root.newClient(t, critical)), certauth.ReasonChainUntrusted, "critical extension 1.3.6.1.5.5.7.1.3 of the leaf is not understood", "in which the extension is not critical"},
		{"a critical extension on a CA", below(critical), certauth.ReasonChainUntrusted, `critical extension 1.3.6.1.5.5.7.1.3 of CA certificate "CN=Issuing,O=Partner Ltd" is not understood`, "in which the extension is not critical"},
		{"serverAuth on an intermediate", below(serverOnly), certauth.ReasonUsageNotAllowed, `extended key usage of CA certificate "CN=Issuing,O=Partner Ltd": serverAuth, want clientAuth`, "the usages of a CA limit what it issues"},
		{"serverAuth on the root", func() attempt {
			own := newRoot(t, "TLS Root", serverOnly)
			return direct(own, own.newClient(t, bothUsages))
		}(), certauth.ReasonUsageNotAllowed, `extended key usage of CA certificate "CN=TLS Root,O=Partner Ltd": serverAuth, want clientAuth`, "AcceptServerAuth"},
		{"serverAuth on the leaf", direct(root, root.newClient(t, serverOnly)), certauth.ReasonUsageNotAllowed, "extended key usage of the leaf: serverAuth, want clientAuth", "the partner needs a certificate with the extended key usage clientAuth"},
		{"nonRepudiation on the leaf", direct(root, root.newClient(t, bits(t, x509.KeyUsageContentCommitment))), certauth.ReasonUsageNotAllowed, "key usage of the leaf: nonRepudiation, want digitalSignature or keyAgreement", "one with the key usage digitalSignature"},
		{"an unknown issuer", direct(root, newRoot(t, "Stranger").newClient(t)), certauth.ReasonChainUntrusted, `no path to 1 root, leaf issuer "CN=Stranger,O=Partner Ltd" is not configured`, addIssuing},
		{"finding N79: a self-signed certificate", attempt{root.roots(), []*x509.Certificate{certauthtest.SelfSigned(t, "client").Certificate}}, certauth.ReasonChainUntrusted, `no path to 1 root, leaf issuer "CN=client,O=certauthtest" is not configured`, "a self-signed certificate has no issuing CA; if you trust it, pin it, next to the old pin"},
		{"an intermediate whose issuer is missing", func() attempt {
			upper := newRoot(t, "Upper")
			issuing := upper.newCA(t, "Issuing")
			return attempt{certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(issuing)}, []*x509.Certificate{issuing.newClient(t).Certificate}}
		}(), certauth.ReasonChainUntrusted, `no path to 1 root, issuer "CN=Upper,O=Partner Ltd" of CA certificate "CN=Issuing,O=Partner Ltd" is not configured`, "add that issuer to Chain.Intermediates"},
		{"another key of the leaf's issuer", direct(root, newRoot(t, "Root").newClient(t)), certauth.ReasonChainUntrusted, `leaf issuer "CN=Root,O=Partner Ltd" is configured with a different key`, "compare the authority key identifier"},
		{"another key of the root above", func() attempt {
			issuing := newRoot(t, "Root").newCA(t, "Issuing")
			return attempt{certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(issuing)}, []*x509.Certificate{issuing.newClient(t).Certificate}}
		}(), certauth.ReasonChainUntrusted, `issuer "CN=Root,O=Partner Ltd" of CA certificate "CN=Issuing,O=Partner Ltd" is configured with a different key`, "compare the authority key identifier"},
		{"an intermediate that ended", below(ended), certauth.ReasonCertificateExpired, `CA certificate "CN=Issuing,O=Partner Ltd" was valid until`, "must renew"},
		{"a root that ended, above an intermediate", func() attempt {
			own := newRoot(t, "Root", ended)
			issuing := own.newCA(t, "Issuing")
			return attempt{certauth.Chain{Roots: certsFrom(own), Intermediates: certsFrom(issuing)}, []*x509.Certificate{issuing.newClient(t).Certificate}}
		}(), certauth.ReasonCertificateExpired, `CA certificate "CN=Root,O=Partner Ltd" was valid until`, "must renew"},
		{"a stranger below the name of a CA that ended", func() attempt {
			own := newRoot(t, "Root", ended)
			return attempt{own.roots(), []*x509.Certificate{newRoot(t, "Root").newClient(t).Certificate}}
		}(), certauth.ReasonChainUntrusted, `leaf issuer "CN=Root,O=Partner Ltd" is configured with a different key`, "compare the authority key identifier"},
		{"a pathLenConstraint that is kept, and no root", func() attempt {
			limited := newRoot(t, "Upper").newCA(t, "Limited", func(c *x509.Certificate) { c.MaxPathLen = 1 })
			lower := limited.newCA(t, "Lower")
			return attempt{certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(limited, lower)}, []*x509.Certificate{lower.newClient(t).Certificate}}
		}(), certauth.ReasonChainUntrusted, `issuer "CN=Upper,O=Partner Ltd" of CA certificate "CN=Limited,O=Partner Ltd" is not configured`, "add that issuer to Chain.Intermediates"},
		{
			"another key of the leaf's issuer, one CA allowed",
			attempt{certauth.Chain{Roots: certsFrom(root), MaxDepth: 1}, []*x509.Certificate{newRoot(t, "Root").newClient(t).Certificate}},
			certauth.ReasonChainUntrusted, `leaf issuer "CN=Root,O=Partner Ltd" is configured with a different key`, "compare the authority key identifier",
		},
		{"two CAs of one name, the leaf's first", namesakes(t, root, false), certauth.ReasonChainUntrusted, `issuer "CN=Upper,O=Partner Ltd" of CA certificate "CN=Issuing,O=Partner Ltd" is not configured`, "add that issuer to Chain.Intermediates"},
		{"two CAs of one name, the leaf's last", namesakes(t, root, true), certauth.ReasonChainUntrusted, `issuer "CN=Upper,O=Partner Ltd" of CA certificate "CN=Issuing,O=Partner Ltd" is not configured`, "add that issuer to Chain.Intermediates"},
		{"the name of a CA that ended", func() attempt {
			own := newRoot(t, "Root", ended)
			return direct(own, issue(t, own, nil, "Root", asClient))
		}(), certauth.ReasonCertificateExpired, `CA certificate "CN=Root,O=Partner Ltd" was valid until`, "must renew"},
		{"the key of a CA that ended", func() attempt {
			own := newRoot(t, "Root", ended)
			return direct(own, issue(t, own, own.key, "client", asClient))
		}(), certauth.ReasonCertificateExpired, `CA certificate "CN=Root,O=Partner Ltd" was valid until`, "must renew"},
		{"another policy above a CA for any policy", three(other, []certauthtest.Template{under(t, "2.5.29.32.0")}), certauth.ReasonChainUntrusted, `certificate policies of CA certificate "CN=Top,O=Partner Ltd": 1.3.6.1.4.1.99999.4.1; want 0.4.0.194112.1.4`, "ask the partner which policy"},
		{"another policy above a CA that maps its policy", three(other, []certauthtest.Template{under(t, "1.3.6.1.4.1.99999.4.2"), mapping}), certauth.ReasonChainUntrusted, `certificate policies of CA certificate "CN=Top,O=Partner Ltd": 1.3.6.1.4.1.99999.4.1; want 0.4.0.194112.1.4`, "ask the partner which policy"},
		{"serverAuth alone and another policy than asked", direct(root, root.newClient(t, serverOnly, under(t, other))).asking(qcpWeb), certauth.ReasonUsageNotAllowed, "extended key usage of the leaf: serverAuth, want clientAuth", "the partner needs a certificate with the extended key usage clientAuth"},
		{"finding R21: the root of the intermediates is only among them", func() attempt {
			upper := newRoot(t, "Upper")
			issuing := upper.newCA(t, "Issuing")
			return attempt{certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(issuing, upper)}, []*x509.Certificate{issuing.newClient(t).Certificate}}
		}(), certauth.ReasonChainUntrusted, `no path to 1 root, issuer "CN=Upper,O=Partner Ltd" of CA certificate "CN=Upper,O=Partner Ltd" is only an intermediate`, "add it to Chain.Roots, if you trust it"},
		{"finding R21: the root that issued the leaf is only among the intermediates", func() attempt {
			upper := newRoot(t, "Upper")
			return attempt{certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(upper)}, []*x509.Certificate{upper.newClient(t).Certificate}}
		}(), certauth.ReasonChainUntrusted, `no path to 1 root, issuer "CN=Upper,O=Partner Ltd" of CA certificate "CN=Upper,O=Partner Ltd" is only an intermediate`, "add it to Chain.Roots, if you trust it"},
		{"finding R21: two intermediates that certify each other", func() attempt {
			first := newRoot(t, "First")
			second := first.newCA(t, "Second")
			return attempt{certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(second, second.again(t, first))}, []*x509.Certificate{second.newClient(t).Certificate}}
		}(), certauth.ReasonChainUntrusted, `no path to 1 root, issuer "CN=Second,O=Partner Ltd" of CA certificate "CN=First,O=Partner Ltd" is only an intermediate`, "add it to Chain.Roots, if you trust it"},
		{"finding R25: another key of the CA in the middle", func() attempt {
			issuing := root.newCA(t, "Upper").newCA(t, "Issuing")
			return attempt{certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(issuing, root.newCA(t, "Upper"))}, []*x509.Certificate{issuing.newClient(t).Certificate}}
		}(), certauth.ReasonChainUntrusted, `issuer "CN=Upper,O=Partner Ltd" of CA certificate "CN=Issuing,O=Partner Ltd" is configured with a different key`, "compare the authority key identifier"},
		{"finding R22: a leaf that ended before its CA was renewed", direct(root, root.newClient(t, ended)), certauth.ReasonCertificateExpired, "the leaf was valid until", "the partner must renew the certificate"},
		{"finding R22: the same below an intermediate", func() attempt {
			issuing := root.newCA(t, "Issuing", long)
			return attempt{certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(issuing)}, []*x509.Certificate{issuing.newClient(t, ended).Certificate}}
		}(), certauth.ReasonCertificateExpired, "the leaf was valid until", "the partner must renew the certificate"},
		{"finding R22: a leaf that ended, below an intermediate without a root", func() attempt {
			issuing := newRoot(t, "Upper", long).newCA(t, "Issuing")
			return attempt{certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(issuing)}, []*x509.Certificate{issuing.newClient(t, ended).Certificate}}
		}(), certauth.ReasonChainUntrusted, `issuer "CN=Upper,O=Partner Ltd" of CA certificate "CN=Issuing,O=Partner Ltd" is not configured`, "add that issuer to Chain.Intermediates"},
		{"finding R22: a leaf that begins after its CA ends", direct(root, root.newClient(t, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = root.NotAfter.AddDate(1, 0, 0), root.NotAfter.AddDate(2, 0, 0)
		})), certauth.ReasonCertificateNotYetValid, "the leaf is valid from", "check this host's clock"},
		{"finding R22: a stranger's leaf that ended before", direct(root, newRoot(t, "Root", long).newClient(t, ended)), certauth.ReasonChainUntrusted, `leaf issuer "CN=Root,O=Partner Ltd" is configured with a different key`, "compare the authority key identifier"},
		{"finding R23: the name and the key of the CA", direct(root, issue(t, root, root.key, "Root", asClient)), certauth.ReasonChainUntrusted, `the leaf has the name and the key of CA certificate "CN=Root,O=Partner Ltd"`, "with a name and a key of its own"},
		{"finding R23: the name and the key of the CA above its own", func() attempt {
			issuing := root.newCA(t, "Issuing")
			return attempt{certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(issuing)}, []*x509.Certificate{issue(t, issuing, root.key, "Root", asClient).Certificate}}
		}(), certauth.ReasonChainUntrusted, `the leaf has the name and the key of CA certificate "CN=Root,O=Partner Ltd"`, "with a name and a key of its own"},
		{"finding R24: a configured intermediate that ended", below(ended), certauth.ReasonCertificateExpired, `CA certificate "CN=Issuing,O=Partner Ltd" was valid until`, "put the CA's current certificate into Chain.Intermediates, or into Chain.Roots if it is a root"},
		{"finding R24: a root that ended, the leaf's issuer", func() attempt {
			own := newRoot(t, "Root", ended)
			return direct(own, own.newClient(t))
		}(), certauth.ReasonCertificateExpired, `CA certificate "CN=Root,O=Partner Ltd" was valid until`, "put the CA's current certificate into Chain.Intermediates, or into Chain.Roots if it is a root"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			row(tc.reason)
			refused := everyWay(t, tc.reason, tc.of.chain, tc.of.sent...)
			require.NotNil(t, refused)
			assert.ErrorContains(t, refused, tc.says)
			assert.Contains(t, refused.Hint, tc.hint)
			if tc.hint != addIssuing {
				assert.NotContains(t, refused.Hint, addIssuing)
			}
			assert.Equal(t, "Policy.Chain", refused.Rule)
			assert.LessOrEqual(t, len(refused.Error()), 700)
		})
	}
}

// pkcs1 is the start of the OIDs of RFC 8017, appendix C, in DER: 1.2.840.113549.1.1.
const pkcs1 = "\x2a\x86\x48\x86\xf7\x0d\x01\x01"

// relabelled returns a leaf whose signature algorithm is replaced by another OID of the same length.
func relabelled(t *testing.T, algorithm string) attempt {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "RSA Root"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0)}
	asCA(template)
	root := create(t, template, template, key.Public(), key)
	client := &x509.Certificate{SerialNumber: big.NewInt(4), Subject: pkix.Name{CommonName: "client"}, NotBefore: root.NotBefore, NotAfter: root.NotAfter}
	asClient(client)
	der := create(t, client, root, newECKey(t, elliptic.P256()).Public(), key).Raw
	sha256WithRSA := []byte(pkcs1 + "\x0b")
	require.Equal(t, 2, bytes.Count(der, sha256WithRSA))
	leaf := parse(t, bytes.ReplaceAll(der, sha256WithRSA, []byte(algorithm)))
	return attempt{certauth.Chain{Roots: certauth.Certificates(root)}, []*x509.Certificate{leaf}}
}

// namesakes returns a leaf of one of two CAs with the same name, whose own issuers are not configured.
func namesakes(t *testing.T, root *party, last bool) attempt {
	t.Helper()
	issuing := newRoot(t, "Upper").newCA(t, "Issuing")
	cas := []*party{issuing, newRoot(t, "Other").newCA(t, "Issuing")}
	if last {
		slices.Reverse(cas)
	}
	return attempt{certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(cas...)}, []*x509.Certificate{issuing.newClient(t).Certificate}}
}

// The usage of a certificate that AcceptServerAuth takes is not what is wrong with it.
func TestChain_RefusalUnderAcceptServerAuthNamesThePolicies(t *testing.T) {
	root := newRoot(t, "Root")
	chain := root.roots()
	chain.Policies = []string{qcpWeb}
	leaf := root.newClient(t, serverOnly, under(t, other)).Certificate
	refused := everyWay(t, certauth.ReasonChainUntrusted, certauth.AcceptServerAuth{Reason: "no other", Policy: chain}, leaf)
	assert.ErrorContains(t, refused, "certificate policies of the leaf: 1.3.6.1.4.1.99999.4.1; want 0.4.0.194112.1.4")
}

// The refusal of a search is kept, and each record names the time of its own request.
func TestChain_KeptRefusalForADateNamesTheTimeOfTheRequest(t *testing.T) {
	root := certauthtest.NewCA(t, "Root", certauthtest.Valid(noon.AddDate(-5, 0, 0), noon.AddDate(5, 0, 0)))
	issuing := root.NewIntermediate(t, "Issuing", certauthtest.Valid(noon.AddDate(-2, 0, 0), noon.AddDate(0, 0, -1)))
	leaf := issuing.Issue(t, "client", certauthtest.Valid(noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0))).Certificate
	now := newClock()
	var refusals []error
	// The pin keeps the certificate, and what is known about it, when it does not chain.
	c := newCached(t, meaning(map[string]*x509.Certificate{"a|": leaf}), certauth.Certificates(leaf), func(c *certauth.Config) {
		c.Now = now.now
		c.Observe = func(_ context.Context, e certauth.Event) {
			if e.Err != nil {
				refusals = append(refusals, e.Err)
			}
		}
	})
	orders := c.Handler(c.Require(certauth.Chain{Roots: certsOf(root), Intermediates: certsOf(issuing)})(http.NotFoundHandler()))
	for _, at := range []time.Time{noon, noon.Add(time.Hour)} {
		now.set(at)
		orders.ServeHTTP(httptest.NewRecorder(), offering("a"))
		require.NotEmpty(t, refusals)
		assert.ErrorIs(t, refusals[len(refusals)-1], certauth.ReasonCertificateExpired)
		assert.ErrorContains(t, refusals[len(refusals)-1], "now is "+at.Format(time.RFC3339))
	}
}

// RFC 5280, section 4.2.1.12: every extended key usage of the chain must allow the purpose. Here each
// allows one that is accepted, but not the same one.
func TestChain_PurposesWithoutACommonOneAreNamed(t *testing.T) {
	root := newRoot(t, "Root")
	issuing := root.newCA(t, "Issuing", certauthtest.Usage(x509.ExtKeyUsageClientAuth))
	chain := certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(issuing)}
	leaf := issuing.newClient(t, serverOnly).Certificate
	refused := everyWay(t, certauth.ReasonUsageNotAllowed, certauth.AcceptServerAuth{Reason: "no other", Policy: chain}, leaf)
	assert.ErrorContains(t, refused, `no extended key usage is common to the leaf: serverAuth; CA certificate "CN=Issuing,O=Partner Ltd": clientAuth`)
	assert.NotContains(t, refused.Error(), "CN=Root")
}

// pssAttempt returns a leaf signed with RSA-PSS, SHA-256 and a salt of 20 bytes, the default of RFC
// 4055 that some CAs do not change.
func pssAttempt(t *testing.T) attempt {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "PSS Root"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0)}
	asCA(template)
	root := create(t, template, template, key.Public(), key)
	client := &x509.Certificate{SerialNumber: big.NewInt(4), Subject: pkix.Name{CommonName: "client"}, NotBefore: root.NotBefore, NotAfter: root.NotAfter, SignatureAlgorithm: x509.SHA256WithRSAPSS}
	asClient(client)
	usual := create(t, client, root, newECKey(t, elliptic.P256()).Public(), key)

	var whole, body struct {
		TBS       asn1.RawValue
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	_, err = asn1.Unmarshal(usual.Raw, &whole)
	require.NoError(t, err)
	algorithm := string(whole.Algorithm.FullBytes)
	salted := func(s string) string { // the salt length is the last byte of the parameters
		return s[:len(s)-1] + "\x14"
	}
	require.Equal(t, byte(0x20), algorithm[len(algorithm)-1])
	tbs := whole.TBS.FullBytes
	at := bytes.Index(tbs, []byte(algorithm))
	require.Positive(t, at)
	tbs = append(append(append([]byte{}, tbs[:at]...), salted(algorithm)...), tbs[at+len(algorithm):]...)
	sum := sha256.Sum256(tbs)
	signature, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: 20, Hash: crypto.SHA256})
	require.NoError(t, err)
	body.TBS, body.Algorithm = asn1.RawValue{FullBytes: tbs}, asn1.RawValue{FullBytes: []byte(salted(algorithm))}
	body.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	leaf := parse(t, marshal(t, body))
	return attempt{certauth.Chain{Roots: certauth.Certificates(root)}, []*x509.Certificate{leaf}}
}
