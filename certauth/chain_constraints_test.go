package certauth_test

import (
	"crypto/x509"
	"encoding/asn1"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// general returns a GeneralName with exactly these contents.
func general(t testing.TB, tag int, compound bool, content ...[]byte) []byte {
	t.Helper()
	return tlv(t, asn1.ClassContextSpecific, tag, compound, content...)
}

// constraints returns a nameConstraints extension: bases of permitted and of excluded subtrees,
// each followed by extra bytes.
func constraints(t testing.TB, critical bool, permitted, excluded [][]byte) certauthtest.Template {
	t.Helper()
	var fields [][]byte
	for tag, bases := range [][][]byte{permitted, excluded} {
		if len(bases) == 0 {
			continue
		}
		var trees [][]byte
		for _, base := range bases {
			trees = append(trees, seq(t, base))
		}
		fields = append(fields, general(t, tag, true, trees...))
	}
	return ext(critical, seq(t, fields...), 2, 5, 29, 30)
}

func subject(name []byte) certauthtest.Template {
	return func(c *x509.Certificate) { c.RawSubject = name }
}

// finding C2: name constraints on directory names and user principal names were ignored unless
// critical, of the CA, of the CAs below it and of the root.
// finding C3: the minimum and maximum of a critical constraint were ignored.
// finding C11: a critical constraint on directory names refused every leaf, even those inside.
func TestChain_NameConstraintsOfEveryFormHold(t *testing.T) {
	within := func(common string) []byte {
		return nameOf(t, nameValue{oidO, asn1.TagUTF8String, "Kommune Beispiel"}, nameValue{oidCN, asn1.TagUTF8String, common})
	}
	outside := nameOf(t, nameValue{oidO, asn1.TagUTF8String, "Other"}, nameValue{oidCN, asn1.TagUTF8String, "client"})
	base := general(t, 4, true, nameOf(t, nameValue{oidO, asn1.TagPrintableString, "KOMMUNE  beispiel"}))
	upn := func(name string) []byte {
		return general(t, 0, true, marshal(t, asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3}),
			tlv(t, asn1.ClassContextSpecific, 0, true, tlv(t, asn1.ClassUniversal, asn1.TagUTF8String, false, []byte(name))))
	}
	dns := general(t, 2, false, []byte("partner.example"))
	maximum := general(t, 1, false, []byte{0})
	ok, no := certauth.ReasonNone, certauth.ReasonChainUntrusted
	for _, tc := range []struct {
		name string
		of   certauthtest.Template
		leaf certauthtest.Template
		want certauth.Reason
	}{
		{name: "permitted directory name, subject inside", of: constraints(t, false, [][]byte{base}, nil), leaf: subject(within("client")), want: ok},
		{name: "the same, critical", of: constraints(t, true, [][]byte{base}, nil), leaf: subject(within("client")), want: ok},
		{name: "permitted directory name, subject outside", of: constraints(t, false, [][]byte{base}, nil), leaf: subject(outside), want: no},
		{name: "the same, critical", of: constraints(t, true, [][]byte{base}, nil), leaf: subject(outside), want: no},
		{name: "excluded directory name, subject inside", of: constraints(t, false, nil, [][]byte{base}), leaf: subject(within("client")), want: no},
		{name: "excluded directory name, subject outside", of: constraints(t, false, nil, [][]byte{base}), leaf: subject(outside), want: ok},
		{name: "permitted user principal names, another", of: constraints(t, false, [][]byte{upn("@partner.example")}, nil), leaf: sanOf(t, upn("jo@other.example")), want: no},
		{name: "excluded user principal name", of: constraints(t, false, nil, [][]byte{upn("jo@partner.example")}), leaf: sanOf(t, upn("jo@partner.example")), want: no},
		{name: "constraint on user principal names, none there", of: constraints(t, true, [][]byte{upn("@partner.example")}, nil), leaf: subject(outside), want: ok},
		{name: "DNS name inside beside a subject outside", of: constraints(t, false, [][]byte{dns, base}, nil), leaf: both(subject(outside), sanOf(t, general(t, 2, false, []byte("a.partner.example")))), want: no},
		{name: "critical, with a maximum", of: constraints(t, true, [][]byte{append(append([]byte{}, dns...), maximum...)}, nil), leaf: sanOf(t, general(t, 2, false, []byte("a.partner.example"))), want: no},
		{name: "not critical, with a maximum", of: constraints(t, false, [][]byte{append(append([]byte{}, dns...), maximum...)}, nil), leaf: sanOf(t, general(t, 2, false, []byte("a.partner.example"))), want: no},
		{name: "DNS name inside", of: constraints(t, true, [][]byte{dns}, nil), leaf: sanOf(t, general(t, 2, false, []byte("a.partner.example"))), want: ok},
		{name: "DNS name outside", of: constraints(t, true, [][]byte{dns}, nil), leaf: sanOf(t, general(t, 2, false, []byte("a.other.example"))), want: no},
	} {
		t.Run(tc.name, func(t *testing.T) {
			check := func(policy certauth.Policy, certs ...*x509.Certificate) {
				refused := everyWay(t, tc.want, policy, certs...)
				if refused == nil {
					return
				}
				assert.ErrorContains(t, refused, "constraint")
				assert.NotContains(t, refused.Hint, "add the issuing CA")
			}
			root := newRoot(t, "Root")
			issuing := root.newCA(t, "Issuing", subject(within("Issuing CA")), tc.of)
			leaf := issuing.newClient(t, tc.leaf).Certificate
			check(certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(issuing)}, leaf)
			check(root.roots(), leaf, issuing.Certificate)

			anchor := newRoot(t, "Root", subject(within("Root CA")), tc.of) // a trust anchor's hold as well
			check(anchor.roots(), anchor.newClient(t, tc.leaf).Certificate)

			if tc.want == no { // of a CA further up, with other CAs in between
				upper := root.newCA(t, "Upper", subject(within("Upper CA")), tc.of)
				lower := upper.newCA(t, "Lower", subject(within("Lower CA")))
				check(certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(upper, lower)}, lower.newClient(t, tc.leaf).Certificate)
			}
		})
	}
	t.Run("the issuing CA outside, the leaf inside", func(t *testing.T) {
		root := newRoot(t, "Root", subject(within("Root CA")), constraints(t, false, [][]byte{base}, nil))
		issuing := root.newCA(t, "Issuing", subject(outside))
		refused := everyWay(t, no, certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(issuing)}, issuing.newClient(t, subject(within("client"))).Certificate)
		assert.ErrorContains(t, refused, "refuse CA ")
	})
	t.Run("a self-issued CA is exempt, and the leaf is not", func(t *testing.T) {
		name := nameOf(t, nameValue{oidCN, asn1.TagUTF8String, "Root CA"})
		root := newRoot(t, "Root", subject(name), constraints(t, true, [][]byte{base}, nil))
		rollover := root.newCA(t, "", subject(name))
		chain := certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(rollover)}
		everyWay(t, ok, chain, rollover.newClient(t, subject(within("client"))).Certificate)
		everyWay(t, no, chain, rollover.newClient(t, subject(outside)).Certificate)
		everyWay(t, no, chain, rollover.newClient(t, subject(name)).Certificate)
	})
	t.Run("every other critical extension stays refused", func(t *testing.T) {
		root := newRoot(t, "Root")
		issuing := root.newCA(t, "Issuing", subject(within("Issuing CA")), constraints(t, true, [][]byte{base}, nil), ext(true, []byte{5, 0}, 1, 3, 6, 1, 4, 1, 99999, 8))
		leaf := issuing.newClient(t, subject(within("client"))).Certificate
		refused := everyWay(t, no, certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(issuing)}, leaf)
		assert.ErrorContains(t, refused, "critical extension 1.3.6.1.4.1.99999.8 of CA certificate")
		everyWay(t, no, root.roots(), leaf, issuing.Certificate)
	})
	t.Run("on a leaf a critical one stays refused", func(t *testing.T) {
		root := newRoot(t, "Root")
		leaf := root.newClient(t, constraints(t, true, [][]byte{base}, nil)).Certificate
		refused := everyWay(t, no, root.roots(), leaf)
		assert.ErrorContains(t, refused, "critical extension 2.5.29.30 of the leaf")
	})
}

func sanOf(t testing.TB, names ...[]byte) certauthtest.Template {
	t.Helper()
	return ext(false, seq(t, names...), 2, 5, 29, 17)
}

func both(changes ...certauthtest.Template) certauthtest.Template {
	return func(c *x509.Certificate) {
		for _, change := range changes {
			change(c)
		}
	}
}
