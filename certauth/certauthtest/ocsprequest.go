package certauthtest

import (
	"encoding/base64"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

const maxOCSPRequest = 64 << 10

// ocspQuestion is an OCSPRequest (RFC 6960, section 4.1.1).
type ocspQuestion struct {
	about []certID
	nonce []byte // value of the extension; nil if there is none
}

type certID struct {
	id     ocsptest.CertID // repeated in the response
	serial *big.Int
}

// readOCSPRequest reads the question from a GET or POST (RFC 6960, appendix A.1). For data that
// is not a request it returns nil with StatusOK, because OCSP has its own response for that.
func readOCSPRequest(w http.ResponseWriter, r *http.Request) (*ocspQuestion, int) {
	switch r.Method {
	case http.MethodPost:
		der, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxOCSPRequest))
		if err != nil {
			return nil, http.StatusRequestEntityTooLarge
		}
		return parseOCSPRequest(der), http.StatusOK
	case http.MethodGet:
		// Base64 contains slashes. A client that does not escape them spreads the request over
		// several segments of the path.
		path := r.URL.EscapedPath()
		for end := len(path); end >= 0; {
			end = strings.LastIndexByte(path[:end], '/')
			text, err := url.PathUnescape(path[end+1:])
			if err != nil {
				continue
			}
			der, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				continue
			}
			if question := parseOCSPRequest(der); question != nil {
				return question, http.StatusOK
			}
		}
		return nil, http.StatusOK
	}
	w.Header().Set("Allow", "GET, POST")
	return nil, http.StatusMethodNotAllowed
}

// parseOCSPRequest returns nil for anything but a request. It ignores signatures.
func parseOCSPRequest(der []byte) *ocspQuestion {
	s := cryptobyte.String(der)
	var request, tbs, list cryptobyte.String
	version, name := cbasn1.Tag(0).ContextSpecific().Constructed(), cbasn1.Tag(1).ContextSpecific().Constructed()
	if !s.ReadASN1(&request, cbasn1.SEQUENCE) || !s.Empty() || !request.ReadASN1(&tbs, cbasn1.SEQUENCE) ||
		!tbs.SkipOptionalASN1(version) || !tbs.SkipOptionalASN1(name) || !tbs.ReadASN1(&list, cbasn1.SEQUENCE) || list.Empty() {
		return nil
	}
	question := &ocspQuestion{}
	for !list.Empty() {
		one, ok := readCertID(&list)
		if !ok {
			return nil
		}
		question.about = append(question.about, one)
	}
	nonce, ok := readNonce(&tbs)
	if !ok || !tbs.Empty() {
		return nil
	}
	question.nonce = nonce
	return question
}

func readCertID(list *cryptobyte.String) (one certID, ok bool) {
	var request, id, hash, nameHash, keyHash, serial cryptobyte.String
	one.serial = new(big.Int)
	ok = list.ReadASN1(&request, cbasn1.SEQUENCE) && request.ReadASN1(&id, cbasn1.SEQUENCE) &&
		id.ReadASN1Element(&hash, cbasn1.SEQUENCE) && id.ReadASN1(&nameHash, cbasn1.OCTET_STRING) &&
		id.ReadASN1(&keyHash, cbasn1.OCTET_STRING) && id.ReadASN1Element(&serial, cbasn1.INTEGER) && id.Empty()
	one.id = ocsptest.CertID{Hash: hash, NameHash: nameHash, KeyHash: keyHash, Serial: serial}
	return one, ok && serial.ReadASN1Integer(one.serial)
}

// readNonce looks for a nonce in the requestExtensions, if there are any (RFC 9654, section 2.1).
func readNonce(tbs *cryptobyte.String) (nonce []byte, ok bool) {
	var explicit, extensions cryptobyte.String
	var there bool
	if !tbs.ReadOptionalASN1(&explicit, &there, cbasn1.Tag(2).ContextSpecific().Constructed()) {
		return nil, false
	}
	if !there {
		return nil, true
	}
	if !explicit.ReadASN1(&extensions, cbasn1.SEQUENCE) || !explicit.Empty() {
		return nil, false
	}
	wanted := string(ocsptest.OID(ocsptest.OIDNonce))
	for !extensions.Empty() {
		var extension, oid, value cryptobyte.String
		if !extensions.ReadASN1(&extension, cbasn1.SEQUENCE) || !extension.ReadASN1Element(&oid, cbasn1.OBJECT_IDENTIFIER) ||
			!extension.SkipOptionalASN1(cbasn1.BOOLEAN) || !extension.ReadASN1(&value, cbasn1.OCTET_STRING) || !extension.Empty() {
			return nil, false
		}
		if string(oid) == wanted {
			nonce = value
		}
	}
	return nonce, true
}
