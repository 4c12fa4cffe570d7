package revocation_test

import (
	"crypto"
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// Cases 15 and 16: whose name or key, and where the certificate stands.
func TestVerifyOCSP_ResponderIDAndCertificates(t *testing.T) {
	s := newScene(t)
	d := s.delegate(t)
	with := func(r ocsptest.Response, responder []byte, certs ...[]byte) []byte {
		r.Responder, r.Certificates = responder, certs
		return encode(t, r)
	}
	hash := ocsptest.IDOf(crypto.SHA1, s.ca.cert, s.client.cert.SerialNumber).KeyHash
	name := ocsptest.ByName(d.cert.RawSubject)
	garbage := ocsptest.Element(ocsptest.TagSequence, []byte("no certificate"))
	nine := make([][]byte, 0, 9)
	for range 9 {
		nine = append(nine, d.cert.Raw)
	}
	folded := makeCert(t, "  CLIENTS   ca ", s.ca.key, nil).cert.RawSubject
	const good, unavailable = revocation.Good, revocation.Unavailable
	run(t, revocation.VerifyOCSP, s.client, s.ca, []evidenceCase{
		{"the key hash as it should be", with(s.good(), ocsptest.ByKeyHash(hash)), nil, good, nil},
		{"the issuer's name in other case and spacing", with(s.good(), ocsptest.ByName(folded)), nil, good, nil},
		{"case 15 another name", with(s.good(), ocsptest.ByName(s.other.cert.RawSubject)), nil, unavailable, revocation.ErrNoSigner},
		{"case 15 the delegate's certificate, another name", with(s.by(d), ocsptest.ByName(s.other.cert.RawSubject), d.cert.Raw), nil, unavailable, revocation.ErrNoSigner},
		{"case 15 the key of another", with(s.good(), ocsptest.ByKey(s.other.cert)), nil, unavailable, revocation.ErrNoSigner},
		{"case 15 a hash of 19 bytes", with(s.good(), ocsptest.ByKeyHash(hash[:19])), nil, unavailable, revocation.ErrNoSigner},
		{"case 15 an empty hash", with(s.good(), ocsptest.ByKeyHash(nil)), nil, unavailable, revocation.ErrNoSigner},
		{"case 15 a hash of 32 bytes", with(s.good(), ocsptest.ByKeyHash(ocsptest.IDOf(crypto.SHA256, s.ca.cert, s.client.cert.SerialNumber).KeyHash)), nil, unavailable, revocation.ErrNoSigner},
		{"case 16 the delegate is the second certificate", with(s.by(d), name, s.other.cert.Raw, d.cert.Raw), nil, good, nil},
		{"case 16 garbage stands before it", with(s.by(d), name, garbage, d.cert.Raw), nil, good, nil},
		{"case 16 garbage stands behind it", with(s.by(d), name, d.cert.Raw, garbage), nil, good, nil},
		{"case 16 eight certificates", with(s.by(d), name, nine[:8]...), nil, good, nil},
		{"case 16 nine certificates", with(s.by(d), name, nine...), nil, unavailable, revocation.ErrLimits},
		{"case 16 nine, signed by the issuer", with(s.good(), ocsptest.ByKeyHash(hash), nine...), nil, unavailable, revocation.ErrLimits},
	})
}

// A responder that the operator trusts by name needs no certificate of the issuer.
func TestVerifyOCSP_TrustedResponders(t *testing.T) {
	s := newScene(t)
	trusted := makeCert(t, "Our responder", newKey(t), nil)
	ended := makeCert(t, "Our responder", newKey(t), nil, valid(now.Add(-day), now.Add(-skew-time.Second)))
	impostor := makeCert(t, "Our responder", newKey(t), nil)
	terms := func(of ...*identity) func(*revocation.VerifyOptions) {
		return func(o *revocation.VerifyOptions) {
			o.TrustedResponders = []*x509.Certificate{nil}
			for _, one := range of {
				o.TrustedResponders = append(o.TrustedResponders, one.cert)
			}
		}
	}
	bare := func(of *identity) []byte {
		r := s.by(of)
		r.Certificates = nil
		return encode(t, r)
	}
	const good, unavailable = revocation.Good, revocation.Unavailable
	run(t, revocation.VerifyOCSP, s.client, s.ca, []evidenceCase{
		{"trusted and not embedded", bare(trusted), terms(trusted), good, nil},
		{"trusted and embedded", encode(t, s.by(trusted)), terms(trusted), good, nil},
		{"not trusted", encode(t, s.by(trusted)), nil, unavailable, revocation.ErrResponderNotAuthorized},
		{"trusted, but no longer valid", bare(ended), terms(ended), unavailable, revocation.ErrResponderNotAuthorized},
		{"another of the same name signed", bare(impostor), terms(trusted), unavailable, revocation.ErrBadSignature},
		{"another of the same name signed and is embedded", encode(t, s.by(impostor)), terms(trusted), unavailable, revocation.ErrResponderNotAuthorized},
	})
}

// Cases 13 and 14: whether the delegate itself is revoked.
func TestVerifyOCSP_RevocationOfTheDelegate(t *testing.T) {
	s := newScene(t)
	unchecked := s.delegate(t, noExtras)
	checked := s.delegate(t)
	lifetime := unchecked.cert.NotAfter.Sub(unchecked.cert.NotBefore)
	type options = revocation.VerifyOptions
	listed := encode(t, s.list(entryFor(unchecked)))
	held := encode(t, s.list(entryFor(unchecked, ocsptest.ReasonCode(6))))
	clean := encode(t, s.list())
	old := s.list()
	old.NextUpdate = ocsptest.UTCAt(now.Add(-skew - time.Second))
	der := encode(t, s.by(unchecked))
	const good, unavailable = revocation.Good, revocation.Unavailable
	refused := revocation.ErrDelegateRevocation
	run(t, revocation.VerifyOCSP, s.client, s.ca, []evidenceCase{
		{"case 13 trusted for its lifetime", der, nil, good, nil},
		{"case 13 ocsp-nocheck is required and missing", der, func(o *options) { o.Delegate = revocation.RequireNoCheck }, unavailable, refused},
		{
			"case 13 ocsp-nocheck is required and there", encode(t, s.by(checked)),
			func(o *options) { o.Delegate = revocation.RequireNoCheck }, good, nil,
		},
		{"case 13 as long as is allowed", der, func(o *options) { o.MaxDelegateLifetime = lifetime }, good, nil},
		{"case 13 a second longer than is allowed", der, func(o *options) { o.MaxDelegateLifetime = lifetime - time.Second }, unavailable, refused},
		{
			"case 13 the bound is not for delegates with ocsp-nocheck", encode(t, s.by(checked)),
			func(o *options) { o.MaxDelegateLifetime = time.Second }, good, nil,
		},
		{
			"case 14 the delegate is revoked on the CRL", der,
			func(o *options) { o.Delegate, o.DelegateCRL = revocation.CheckCRL, listed }, unavailable, refused,
		},
		{"case 14 the delegate is on hold", der, func(o *options) { o.Delegate, o.DelegateCRL = revocation.CheckCRL, held }, unavailable, refused},
		{"case 14 the delegate is not on the CRL", der, func(o *options) { o.Delegate, o.DelegateCRL = revocation.CheckCRL, clean }, good, nil},
		{
			"case 14 the CRL has expired", der,
			func(o *options) { o.Delegate, o.DelegateCRL = revocation.CheckCRL, encode(t, old) }, unavailable, refused,
		},
		{"case 14 there is no CRL", der, func(o *options) { o.Delegate = revocation.CheckCRL }, unavailable, refused},
		{"case 14 a policy that does not exist", der, func(o *options) { o.Delegate = 77 }, unavailable, revocation.ErrArgument},
	})
	for name, c := range map[string]struct {
		der  []byte
		want bool
		o    revocation.VerifyOptions
	}{
		"trusted for its lifetime":           {der, true, at(now)},
		"it has ocsp-nocheck":                {encode(t, s.by(checked)), false, at(now)},
		"its CRL was checked":                {der, false, revocation.VerifyOptions{Now: now, Delegate: revocation.CheckCRL, DelegateCRL: clean}},
		"the issuer signed, there is no one": {encode(t, s.good()), false, at(now)},
	} {
		t.Run("case 13 DelegateUnchecked when "+name, func(t *testing.T) {
			result, err := revocation.VerifyOCSP(c.der, s.client.cert, s.ca.cert, c.o)
			require.NoError(t, err)
			assert.Equal(t, c.want, result.DelegateUnchecked)
		})
	}
}

// Check 11: at most three signatures are verified, whoever else has the name.
func TestVerifyOCSP_AtMostThreeVerifications(t *testing.T) {
	s := newScene(t)
	trusted := makeCert(t, "Our responder", newKey(t), nil)
	r := s.by(trusted)
	r.Certificates = nil
	der := encode(t, r)
	with := func(impostors int) func(*revocation.VerifyOptions) {
		return func(o *revocation.VerifyOptions) {
			for range impostors {
				o.TrustedResponders = append(o.TrustedResponders, makeCert(t, "Our responder", newKey(t), nil).cert)
			}
			o.TrustedResponders = append(o.TrustedResponders, trusted.cert)
		}
	}
	run(t, revocation.VerifyOCSP, s.client, s.ca, []evidenceCase{
		{"the third of the name", der, with(2), revocation.Good, nil},
		{"the fourth of the name", der, with(3), revocation.Unavailable, revocation.ErrBadSignature},
	})
}
