package certauthtest

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/http"
	"slices"

	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// Responder is an OCSP responder for one CA (RFC 6960). It is an [http.Handler] for GET and POST
// under any path. It answers good for certificates that the CA has issued, revoked for those
// passed to Revoke, and unknown for all others, including certificates of other CAs. It returns a
// nonce that it receives. Responses are made for each request. It is safe for concurrent use.
type Responder struct {
	*standing
	ca     *CA
	signer *Certificate // guarded by the standing's mutex, as is its key
	forger crypto.Signer
}

// NewResponder makes a responder whose responses the CA itself signs.
func NewResponder(tb TB, ca *CA) *Responder {
	tb.Helper()
	return &Responder{standing: newStanding(), ca: ca, signer: &Certificate{Certificate: ca.Certificate, Key: ca.key}, forger: newKey(tb)}
}

// Delegate makes a new certificate of the CA sign all later responses: for OCSPSigning, with
// ocsp-nocheck (RFC 6960, sections 4.2.2.2 and 4.2.2.2.1). It returns that certificate, which the
// responses include.
func (r *Responder) Delegate(tb TB, change ...Template) *Certificate {
	tb.Helper()
	noCheck := pkix.Extension{Id: ocsptest.OIDNoCheck, Value: asn1.NullBytes}
	delegate := r.ca.Issue(tb, "OCSP Responder", append([]Template{Usage(x509.ExtKeyUsageOCSPSigning), func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, noCheck)
	}}, change...)...)
	r.change(func() { r.signer = delegate })
	return delegate
}

// ServeHTTP implements [http.Handler].
func (r *Responder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	fault := r.fault
	r.mu.Unlock()
	if fault.failed(w, request) {
		return
	}
	question, status := readOCSPRequest(w, request)
	if status != http.StatusOK {
		http.Error(w, http.StatusText(status), status)
		return
	}
	der, err := r.answer(question).Encode()
	if err != nil { // the key of a Certificate that a test constructed itself
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/ocsp-response")
	_, _ = w.Write(der)
}

// answer makes the response. It is malformedRequest if there is no question.
func (r *Responder) answer(question *ocspQuestion) ocsptest.Response {
	if question == nil {
		return ocsptest.Response{Status: 1, WithoutBytes: true}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.now()
	response := ocsptest.Response{
		Responder: ocsptest.ByName(r.signer.RawSubject), ProducedAt: ocsptest.At(at), Key: r.signer.Key,
	}
	if r.signer.Certificate != r.ca.Certificate {
		response.Certificates = [][]byte{r.signer.Raw}
	}
	if r.fault == Forged {
		response.Key = r.forger
	}
	if question.nonce != nil {
		response.Extensions = []ocsptest.Extension{{OID: ocsptest.OIDNonce, Value: question.nonce}}
	}
	for _, one := range question.about {
		response.Answers = append(response.Answers, ocsptest.Answer{
			ID: one.id, Status: r.statusOf(one), ThisUpdate: ocsptest.At(at.Add(-r.ago)), NextUpdate: ocsptest.At(at.Add(r.ahead)),
		})
	}
	return response
}

// The hashes with which a request may identify the CA.
var certIDHashes = []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512}

func (r *Responder) statusOf(one certID) []byte {
	ours := slices.ContainsFunc(certIDHashes, func(hash crypto.Hash) bool {
		id := ocsptest.IDOf(hash, r.ca.Certificate, new(big.Int))
		return string(id.NameHash) == string(one.id.NameHash) && string(id.KeyHash) == string(one.id.KeyHash)
	})
	if !ours {
		return ocsptest.StatusUnknown
	}
	if known, yes := r.revoked[one.serial.String()]; yes {
		return ocsptest.StatusRevoked(ocsptest.At(known.at), known.reason)
	}
	if r.ca.hasIssued(one.serial) {
		return ocsptest.StatusGood
	}
	return ocsptest.StatusUnknown
}
