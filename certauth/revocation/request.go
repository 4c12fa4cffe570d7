package revocation

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/crypto/ocsp"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
)

var oidNonce = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}

const (
	nonceSize = 32  // RFC 9654, section 2.1
	maxGETURL = 255 // bytes of the whole URL; RFC 5019, section 5
)

// newOCSPRequest makes a request, never signed, about one certificate (RFC 6960, section 4.1.1). The
// issuer's name is hashed as encoded in cert, which may differ from its encoding in issuer.
func newOCSPRequest(cert, issuer *x509.Certificate, hash crypto.Hash, mode NonceMode) (der, nonce []byte, err error) {
	if !bytes.Equal(cert.RawIssuer, issuer.RawSubject) {
		named := *issuer
		named.RawSubject = cert.RawIssuer
		issuer = &named
	}
	der, err = ocsp.CreateRequest(cert, issuer, &ocsp.RequestOptions{Hash: hash})
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrArgument, err)
	}
	if mode == NonceOff {
		return der, nil, nil
	}
	nonce = make([]byte, nonceSize)
	_, _ = rand.Read(nonce) // never returns an error
	der, err = withNonce(der, nonce)
	return der, nonce, err
}

// withNonce adds the requestExtensions, for which x/crypto/ocsp has no field. The value of the
// extension is an OCTET STRING inside the OCTET STRING (RFC 9654, section 2.1).
func withNonce(der, nonce []byte) ([]byte, error) {
	var request struct {
		TBS struct {
			Requests   asn1.RawValue
			Extensions []pkix.Extension `asn1:"explicit,tag:2,optional"`
		}
	}
	if rest, err := asn1.Unmarshal(der, &request); err != nil || len(rest) > 0 {
		return nil, ErrArgument
	}
	value := append([]byte{asn1.TagOctetString, nonceSize}, nonce...)
	request.TBS.Extensions = []pkix.Extension{{Id: oidNonce, Value: value}}
	return asn1.Marshal(request)
}

// requestTo returns the request to a responder: by GET if it may be and fits into one, otherwise by
// POST. Nothing of the responder's URL is left out: the Fetcher decides whether it is allowed.
func requestTo(responder string, der []byte, mayGET bool) Request {
	if mayGET {
		// url.PathEscape does not escape "+" and "=", and a responder may read "+" as a space.
		text := url.QueryEscape(base64.StdEncoding.EncodeToString(der))
		path, query, hasQuery := strings.Cut(responder, "?")
		address := strings.TrimSuffix(path, "/") + "/" + text
		if hasQuery {
			address += "?" + query
		}
		if len(address) <= maxGETURL {
			return Request{Kind: fetch.OCSP, Method: http.MethodGet, URL: address, MaxBytes: evidence.MaxResponse}
		}
	}
	return Request{Kind: fetch.OCSP, Method: http.MethodPost, URL: responder, Body: der, MaxBytes: evidence.MaxResponse}
}
