package outbound

import (
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"

	"software.sslmate.com/src/go-pkcs12"
)

// open decrypts everything: the first key with each of the parts, and each other key with the first part. bmp is the
// password in the encoding of the old algorithms.
func (p *parsedPFX) open(password string, bmp []byte) (certs []*x509.Certificate, keys []crypto.Signer, err error) {
	for i, key := range p.keys {
		parts := p.parts
		if i > 0 {
			parts = parts[:1]
		}
		for j := range parts {
			single, err := repack(key, parts[j], bmp)
			if err != nil {
				return nil, nil, err
			}
			opened, leaf, others, err := pkcs12.DecodeChain(single, password)
			if err != nil && unsupported(err) {
				return nil, nil, fail(ReasonKeyNotAllowed, "key %d with part %d: %w", i, j, err)
			}
			if err != nil {
				return nil, nil, fail(ReasonMalformed, "key %d with part %d: %w", i, j, err)
			}
			if i == 0 {
				certs = append(append(certs, leaf), others...)
			}
			if j > 0 {
				continue
			}
			signer, ok := opened.(crypto.Signer)
			if !ok {
				return nil, nil, fail(ReasonKeyNotAllowed, "a key of type %T cannot sign", opened)
			}
			keys = append(keys, signer)
		}
	}
	return certs, keys, nil
}

// repack writes a file of one key and one part. Its MAC uses one iteration, so the key derivation of RFC 7292, appendix
// B.2, is one hash of the diversifier, the salt and the password, each repeated to whole blocks of 64 bytes.
func repack(key []byte, part pfxContent, bmp []byte) ([]byte, error) {
	first, err := dataPart([]asn1.RawValue{{FullBytes: key}})
	if err != nil {
		return nil, err
	}
	safe, err := asn1.Marshal([]pfxContent{first, part})
	if err != nil {
		return nil, errors.New("cannot be encoded")
	}
	const block = sha256.BlockSize
	salt := make([]byte, block)
	input := make([]byte, block, 4*block)
	for i := range input {
		input[i] = 3 // the purpose "MAC"
	}
	input = append(input, salt...)
	if size := (len(bmp) + block - 1) / block * block; size > 0 {
		for i := range size {
			input = append(input, bmp[i%len(bmp)])
		}
	}
	derived := sha256.Sum256(input)
	mac := hmac.New(sha256.New, derived[:])
	mac.Write(safe)
	content, err := octetString(safe)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(pfxFile{
		Version:  3,
		AuthSafe: pfxContent{Type: oidData, Content: content},
		MacData:  pfxMAC{Mac: pfxDigest{Algorithm: pkix.AlgorithmIdentifier{Algorithm: oidSHA256, Parameters: asn1.NullRawValue}, Digest: mac.Sum(nil)}, Salt: salt, Iterations: 1},
	})
}

// dataPart makes an unencrypted part of these bags.
func dataPart(bags []asn1.RawValue) (pfxContent, error) {
	contents, err := asn1.Marshal(bags)
	if err != nil {
		return pfxContent{}, errors.New("cannot be encoded")
	}
	content, err := octetString(contents)
	return pfxContent{Type: oidData, Content: content}, err
}

// octetString encodes the bytes as an OCTET STRING under the explicit tag 0.
func octetString(data []byte) (asn1.RawValue, error) {
	octets, err := asn1.Marshal(data)
	if err != nil {
		return asn1.RawValue{}, errors.New("cannot be encoded")
	}
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: octets}, nil
}
