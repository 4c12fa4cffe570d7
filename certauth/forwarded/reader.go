package forwarded

import (
	"bytes"
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
	"github.com/seed2886b8ae/go-certauth/internal/mistakes"
	"github.com/seed2886b8ae/go-certauth/internal/sha1sum"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// Hash is the hash function of a fingerprint header.
type Hash int

const (
	// HashUnspecified is the zero value, for no fingerprint header.
	HashUnspecified Hash = iota
	// HashSHA1 is SHA-1: nginx's and Application Gateway's fingerprint. It is good
	// enough to compare with a certificate in hand.
	HashSHA1
	// HashSHA256 is SHA-256.
	HashSHA256
)

// layout says which headers a front end writes and how they are read. Every preset is
// one.
type layout struct {
	preset string // "Nginx", for rule paths and texts
	from   Gate

	header string
	codec  codec
	absent string // a value that means "no certificate", in addition to the empty one
	chain  chainReader

	flags           []Flag
	fingerprint     string
	fingerprintHash Hash

	unread []string // headers that are removed without being read

	verifies  bool // the operator says that the front end verifies
	form      string
	missing   string                     // hint where there is no certificate
	traffic   func(*http.Request) string // a better one for requests of the platform itself, or ""
	untrusted string                     // hint where another sender sent one
	kept      []string
}

// Flag is a header by which a front end says that it verified the certificate. It is read
// with a certificate and means nothing without one: a request that has the flag and no
// certificate has no certificate, whichever front end it came through.
type Flag struct {
	// Header is the name.
	Header string
	// Value is the exact required value: no trimming, no folding of case.
	Value string
	// Absent demands that the header is absent or empty instead; Value is then empty.
	Absent bool
}

// prepare checks the layout, all mistakes at once, and returns the source that serves
// the requests.
func (l layout) prepare(env source.Environment, found ...error) (*reader, error) {
	if l.untrusted == "" {
		l.untrusted = "the request did not come through the front end that From describes; check what else can reach this port"
	}
	if l.missing == "" {
		l.missing = "does the front end ask for a client certificate on this host and path, and does this route of it set " + l.header + "? A probe or a public path needs an entry in Config.Exclusions with its method and path"
	}
	l.chain = l.chain.prepared()
	s := &reader{layout: l, logger: env.Logger, rulePath: "Source." + l.preset, formHint: l.preset + " sends " + l.form, key: http.CanonicalHeaderKey(l.header), fingerprintKey: http.CanonicalHeaderKey(l.fingerprint)}
	for _, flag := range l.flags {
		s.flagKeys = append(s.flagKeys, http.CanonicalHeaderKey(flag.Header))
	}
	if l.from == nil {
		found = append(found, errors.New("From: not set; say who may send the header"))
	} else {
		from, err := prepareGate(l.from, env)
		found = append(found, mistakes.Prefix("From: ", err)...)
		s.gate = from
	}
	if l.verifies && len(l.flags) == 0 {
		found = append(found, errors.New("FrontEndVerifies: set, but no header says so"))
	}
	if (l.fingerprint == "") != (l.fingerprintHash == HashUnspecified) {
		found = append(found, errors.New("fingerprint: header and hash are set together or not at all"))
	}
	if l.fingerprintHash == HashSHA1 && !sha1sum.Available() {
		found = append(found, fmt.Errorf("fingerprint: %w; leave the header out, or have the front end send SHA-256", sha1sum.ErrUnavailable))
	}
	if err := errors.Join(append(found, l.checkNames(s.gate)...)...); err != nil {
		return nil, errors.Join(mistakes.Prefix(l.preset+".", err)...)
	}
	return s, nil
}

// checkNames refuses empty names and names that fold to one: the same header cannot
// hold two things. certauth.New checks the syntax of names.
func (l layout) checkNames(g gate) []error {
	names := append(l.ownHeaders(), l.kept...)
	if g != nil {
		names = append(names, g.headers()...)
	}
	var found []error
	seen := map[string]string{}
	for _, name := range names {
		if strings.TrimSpace(name) == "" {
			found = append(found, errors.New("header: a name is empty"))
			continue
		}
		folded := strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(name))
		if other, again := seen[folded]; again {
			found = append(found, fmt.Errorf("header: %s and %s are one header to proxies and servers", logtext.Quote(other), logtext.Quote(name)))
		}
		seen[folded] = name
	}
	return found
}

func (l layout) ownHeaders() []string {
	names := append([]string{l.header}, l.chain.headers()...)
	for _, flag := range l.flags {
		names = append(names, flag.Header)
	}
	if l.fingerprint != "" {
		names = append(names, l.fingerprint)
	}
	return append(names, l.unread...)
}

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

// served returns the form that certauth.New asks for.
func served(s *reader, err error) (*source.Reader, error) {
	if err != nil {
		return nil, err
	}
	return &source.Reader{
		Name: s.String(), Headers: append(s.ownHeaders(), s.gate.headers()...), FrontEndVerifies: s.verifies,
		Offer: s.offer, Decode: s.decode,
	}, nil
}

// offer does everything that comes before decoding, in a fixed order: who sent it, what
// Connection says, how many values, how long. The texts are the leaf's, those of the flags,
// the fingerprint if one is configured, the chain's.
func (s *reader) offer(r *http.Request, offer *source.Offer) error {
	values := s.codec.values(r.Header[s.key])
	if err := s.admit(r); err != nil {
		s.warn(err)
		// A stranger's header is not read; only whether there was one matters, because a
		// request that carries none is simply without a certificate.
		if !s.offered(values) {
			return s.none(r)
		}
		return s.notAdmitted(err)
	}
	if len(s.kept) > 0 && connectionNames(r.Header["Connection"], s.kept) {
		return s.malformed(errors.New("the Connection header names one of the platform's headers"), "")
	}
	if len(values) > 1 {
		return s.malformed(fmt.Errorf("%s: %d values, want 1", s.header, len(values)), "a client or a proxy added the header beside the front end's")
	}
	if !s.offered(values) {
		// RFC 9440, section 2.3: Client-Cert-Chain never occurs without Client-Cert. Other
		// front ends' chain headers outlive a leaf that the client had dropped by Connection.
		if s.chain.format == ChainByteSequenceList && offers(r.Header[s.chain.keys[0]]) {
			return s.malformed(errors.New("a chain without "+s.header), "")
		}
		if flag, ok := s.saysVerified(r.Header); ok {
			return s.lost(flag)
		}
		return s.none(r)
	}
	if n := len(values[0]); n > s.codec.limit {
		return s.tooLong(n)
	}
	return s.texts(r.Header, values[0], offer)
}

func (s *reader) texts(header http.Header, leaf string, o *source.Offer) error {
	o.Add(leaf)
	if s.codec.sample != nil {
		o.SetSample(s.codec.sample(leaf))
	}
	for i, key := range s.flagKeys {
		value, err := atMostOneShort(header, key, s.flags[i].Header)
		if err != nil {
			return s.malformed(err, "a client or a proxy added the header beside the front end's")
		}
		o.Add(value)
	}
	if s.fingerprint != "" {
		value, err := atMostOneShort(header, s.fingerprintKey, s.fingerprint)
		if err != nil {
			return s.malformed(err, "certificate and fingerprint have different authors: does every route of the front end set both?")
		}
		o.Add(value)
	}
	if err := s.chain.offer(header, o); err != nil {
		return s.malformed(err, s.hint(leaf, nil))
	}
	return nil
}

// decode reads the certificates and then checks the front end's flags about the leaf.
func (s *reader) decode(o source.Offer, see func([]byte) error) ([]*x509.Certificate, error) {
	certs, err := s.decodeAll(o, see)
	if refusal, ok := errors.AsType[seeError](err); ok {
		return nil, refusal.error
	}
	if err != nil {
		return nil, s.malformed(err, s.hint(o.Text(0), err))
	}
	if refused := s.judge(o, certs[0]); refused != nil {
		return nil, refused
	}
	return certs, nil
}

// admit asks the gate. A TLS client certificate of the sender that was not declared means
// that the sender is not the front end, or that two certificates compete.
func (s *reader) admit(r *http.Request) error {
	judgedTLS, err := s.gate.admit(r)
	if err != nil {
		return err
	}
	if hasTLSCertificate(r) && !judgedTLS {
		return errors.New("the sender presented a TLS client certificate of its own; declare it with ProxyCertificate")
	}
	return nil
}

// offered reports whether the header holds anything that could be a certificate.
func (s *reader) offered(values []string) bool {
	for _, value := range values {
		if value != "" && (s.absent == "" || value != s.absent) {
			return true
		}
	}
	return false
}

func offers(values []string) bool {
	for _, value := range values {
		if value != "" {
			return true
		}
	}
	return false
}

// saysVerified reports whether the front end says that it verified a certificate, in a
// request without one. It serves the operator's hint alone.
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

func (s *reader) decodeAll(o source.Offer, see func([]byte) error) ([]*x509.Certificate, error) {
	certs, err := s.codec.read(o.Text(0), see)
	if _, ok := err.(seeError); ok { //nolint:errorlint // read returns it bare
		return nil, err
	}
	if err != nil {
		return nil, headerError{s.header, err}
	}
	chain, err := s.chain.read(o, s.fixedTexts())
	if err != nil {
		return nil, err
	}
	if certs = append(certs, chain...); len(certs) > maxCertificates {
		return nil, fmt.Errorf("%d certificates, want at most %d", len(certs), maxCertificates)
	}
	return certs, nil
}

// fixedTexts is the number of texts of an Offer before those of the chain.
func (s *reader) fixedTexts() int {
	n := 1 + len(s.flags)
	if s.fingerprint != "" {
		n++
	}
	return n
}

// judge checks the front end's flags about the certificate.
func (s *reader) judge(o source.Offer, leaf *x509.Certificate) *certauth.Error {
	for i, flag := range s.flags {
		if value := o.Text(1 + i); value != flag.Value {
			return &certauth.Error{
				Reason: certauth.ReasonFrontEndUnverified, Rule: s.rule(),
				Err:  fmt.Errorf("%s is %s, want %s", flag.Header, logtext.Quote(value), logtext.Quote(flag.Value)),
				Hint: "the front end did not verify this certificate; look at its own log and its client CA",
			}
		}
	}
	if s.fingerprint == "" {
		return nil
	}
	if value := o.Text(1 + len(s.flags)); !sameFingerprint(value, s.fingerprintHash, leaf) {
		return s.malformed(errors.New(s.fingerprint+" is not the fingerprint of the certificate"), "certificate and fingerprint have different authors: does every route of the front end set both?")
	}
	return nil
}

// sameFingerprint compares hex without regard to case and colons.
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

// String names the source and the evidence it relies on.
func (s *reader) String() string {
	notes := s.header + " from " + s.gate.String()
	for _, flag := range s.flags {
		notes += fmt.Sprintf(", %s must be %s", flag.Header, logtext.Quote(flag.Value))
	}
	if s.verifies {
		notes += ", the front end's verification stands in for an anchor"
	}
	return "forwarded." + s.preset + " (" + notes + ")"
}

// maxConnection bounds the Connection header, as certauth does.
const maxConnection = 4 << 10

// connectionNames reports whether the Connection header lists one of the names. A list too
// long to be honest counts as naming one.
func connectionNames(lines, names []string) bool {
	if len(names) == 0 {
		return false
	}
	size := 0
	for _, line := range lines {
		if size += len(line); size > maxConnection {
			return true
		}
		for option := range strings.SplitSeq(line, ",") {
			for _, name := range names {
				if strings.EqualFold(strings.Trim(option, " \t"), name) {
					return true
				}
			}
		}
	}
	return false
}
