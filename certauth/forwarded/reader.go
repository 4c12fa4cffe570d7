package forwarded

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
	"github.com/seed2886b8ae/go-certauth/internal/sha1sum"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// reader is the immutable form of every source of this package.
type reader struct {
	layout
	logger         *slog.Logger // may be nil
	warned         sync.Once
	gate           gate
	key            string // canonical form of header
	rulePath       string
	formHint       string
	flagKeys       []string
	fingerprintKey string
}

// offer makes all checks that come before decoding, in a fixed order: the sender, the
// number of values, early data, their length. The texts are those of the leaf,
// of the flags, of the fingerprint if one is configured, and of the chain.
func (s *reader) offer(r *http.Request, offer *source.Offer) error {
	values := r.Header[s.key]
	if err := s.admit(r); err != nil {
		s.warn(err)
		// The header of an unknown sender is not read. Only its presence matters, because a
		// request without it is simply a request without a certificate.
		if !s.offers(values) {
			return s.none(r)
		}
		return s.notAdmitted(err)
	}
	if len(values) > 1 {
		return s.malformed(fmt.Errorf("%s: %d values, want 1", s.header, len(values)), "a client or a proxy sent the header in addition to the front end")
	}
	if !s.offers(values) {
		// RFC 9440, section 2.3: Client-Cert-Chain never occurs without Client-Cert. The
		// chain headers of other front ends can remain after a client had the leaf dropped
		// by Connection.
		if s.chain.format == ChainByteSequenceList && hasValue(r.Header[s.chain.keys[0]]) {
			return s.malformed(errors.New("a chain without "+s.header), "")
		}
		if flag, ok := s.saysVerified(r.Header); ok {
			return s.lost(flag)
		}
		return s.none(r)
	}
	if hasValue(r.Header["Early-Data"]) {
		return s.early()
	}
	leaf := s.value(values[0])
	if len(leaf) > s.codec.limit {
		return s.refusal(certauth.ReasonCertificateMalformed, lengthError{s.header, len(leaf), s.codec.limit}, s.formHint)
	}
	return s.texts(r.Header, leaf, offer)
}

func (s *reader) texts(header http.Header, leaf string, o *source.Offer) error {
	o.Add(leaf)
	if s.codec.sample != nil {
		o.SetSample(s.codec.sample(leaf))
	}
	for i, key := range s.flagKeys {
		value, err := atMostOne(header, key, s.flags[i].Header, maxFlag)
		if err != nil {
			return s.malformed(err, "a client or a proxy sent the header in addition to the front end")
		}
		o.Add(value)
	}
	if s.fingerprint != "" {
		value, err := atMostOne(header, s.fingerprintKey, s.fingerprint, maxFlag)
		if err != nil {
			return s.malformed(err, "certificate and fingerprint come from different senders; check that every route of the front end sets both")
		}
		o.Add(value)
	}
	if err := s.chain.offer(header, o); err != nil {
		return s.malformed(err, s.hint(leaf, nil))
	}
	return nil
}

// decode reads the certificates and then checks the front end's flags.
func (s *reader) decode(o source.Offer, see func([]byte) error) ([]*x509.Certificate, error) {
	certs, err := s.codec.read(o.Text(0), see)
	if refused, ok := err.(seeError); ok { //nolint:errorlint // read returns it bare
		return nil, refused.error
	}
	if err != nil {
		err = headerError{s.header, err}
	} else {
		certs, err = s.addChain(certs, o)
	}
	if err != nil {
		return nil, s.malformed(err, s.hint(o.Text(0), err))
	}
	if refused := s.judge(o, certs[0]); refused != nil {
		return nil, refused
	}
	return certs, nil
}

// addChain appends the certificates of the chain headers.
func (s *reader) addChain(certs []*x509.Certificate, o source.Offer) ([]*x509.Certificate, error) {
	fixed := 1 + len(s.flags) // texts that precede those of the chain
	if s.fingerprint != "" {
		fixed++
	}
	chain, err := s.chain.read(o, fixed)
	if err != nil {
		return nil, err
	}
	if certs = append(certs, chain...); len(certs) > maxCertificates {
		return nil, fmt.Errorf("%d certificates, want at most %d", len(certs), maxCertificates)
	}
	return certs, nil
}

// admit asks the gate. If the sender has a TLS client certificate that no gate checked,
// either the sender is not the front end or two certificates compete.
func (s *reader) admit(r *http.Request) error {
	judgedTLS, err := s.gate.admit(r)
	if err != nil {
		return err
	}
	if hasTLSCertificate(r) && !judgedTLS {
		return &senderError{
			text: "the sender presented its own TLS client certificate, which no gate checks",
			hint: "if it is the front end's own, add ProxyCertificate to From with EveryGate; otherwise look for who reaches this port with a certificate of its own",
		}
	}
	return nil
}

// value returns a value in the form in which it is read. No front end sends a value of spaces alone; it
// stays as it is and is malformed.
func (s *reader) value(value string) string {
	if s.codec.trims {
		value = cmp.Or(trimEnd(value), value)
	}
	return value
}

// offers reports whether one of the values of the certificate's header could be a certificate.
func (s *reader) offers(values []string) bool {
	for _, value := range values {
		if value = s.value(value); value != "" && value != s.absent {
			return true
		}
	}
	return false
}

// hasValue reports whether one of the values is not empty.
func hasValue(values []string) bool {
	return slices.ContainsFunc(values, func(value string) bool { return value != "" })
}

// saysVerified reports whether the flags say that a certificate was verified, for a request
// without one. The result is used only for the hint.
func (s *reader) saysVerified(header http.Header) (flag string, yes bool) {
	for i, f := range s.flags {
		if f.Value == "" {
			continue
		}
		if !slices.Contains(header[s.flagKeys[i]], f.Value) {
			return "", false
		}
		flag = f.Header
	}
	return flag, flag != ""
}

// judge checks the front end's flags about the certificate.
func (s *reader) judge(o source.Offer, leaf *x509.Certificate) *certauth.Error {
	for i, flag := range s.flags {
		if value := o.Text(1 + i); value != flag.Value {
			hint := "the front end did not verify this certificate; look at its own log and its client CA"
			if value == "" {
				hint = "the front end sets no " + flag.Header + " on this route; the documentation of the source has its lines"
			}
			return s.refusal(certauth.ReasonFrontEndUnverified, fmt.Errorf("%s is %s, want %s", flag.Header, logtext.Quote(value), logtext.Quote(flag.Value)), hint)
		}
	}
	if s.fingerprint == "" {
		return nil
	}
	switch value := o.Text(1 + len(s.flags)); {
	case value == "":
		return s.malformed(errors.New(s.fingerprint+" is missing"), "the front end sets no "+s.fingerprint+" on this route; the documentation of the source has its lines")
	case !sameFingerprint(value, s.fingerprintHash, leaf):
		return s.malformed(errors.New(s.fingerprint+" is not the fingerprint of the certificate"), "certificate and fingerprint come from different senders; check that every route of the front end sets both")
	}
	return nil
}

// sameFingerprint compares hex; case and colons do not matter.
func sameFingerprint(value string, hash Hash, leaf *x509.Certificate) bool {
	have, err := hex.DecodeString(strings.ReplaceAll(value, ":", ""))
	if err != nil {
		return false
	}
	if hash == HashSHA1 {
		sum, err := sha1sum.Of(leaf.Raw)
		return err == nil && bytes.Equal(have, sum[:])
	}
	sum := sha256.Sum256(leaf.Raw)
	return bytes.Equal(have, sum[:])
}

// String describes the source and the evidence on which it relies.
func (s *reader) String() string {
	notes := s.gate.name
	if !s.platform {
		notes = s.header + " from " + notes
	}
	for _, flag := range s.flags {
		notes += fmt.Sprintf(", %s must be %s", flag.Header, logtext.Quote(flag.Value))
	}
	if s.verifies {
		notes += ", the front end's verification replaces an anchor"
	}
	if notes == "" {
		return "forwarded." + s.preset
	}
	return "forwarded." + s.preset + " (" + notes + ")"
}
