package ocsptest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	_ "crypto/md5" //nolint:gosec // weak signatures have to be written to test that they are refused
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" //nolint:gosec // as above, and for CertIDs
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/asn1"
	"errors"
	"math/big"
)

// Algorithm determines how a response or a list is signed, and the algorithm that it names.
type Algorithm struct {
	// Identifier is the whole AlgorithmIdentifier.
	Identifier []byte
	// Options are passed to the signer, after their hash was applied. nil signs the message
	// itself (Ed25519).
	Options crypto.SignerOpts
	// Signature, if not nil, replaces the signature.
	Signature []byte
}

var null = []byte{TagNull, 0}

// Identifier encodes an AlgorithmIdentifier; nil parameters are omitted.
func Identifier(oid asn1.ObjectIdentifier, parameters []byte) []byte {
	return Element(TagSequence, OID(oid), parameters)
}

var hashOIDs = map[crypto.Hash]asn1.ObjectIdentifier{
	crypto.MD5:    {1, 2, 840, 113549, 2, 5},
	crypto.SHA1:   {1, 3, 14, 3, 2, 26},
	crypto.SHA256: {2, 16, 840, 1, 101, 3, 4, 2, 1},
	crypto.SHA384: {2, 16, 840, 1, 101, 3, 4, 2, 2},
	crypto.SHA512: {2, 16, 840, 1, 101, 3, 4, 2, 3},
}

// HashIdentifier encodes the AlgorithmIdentifier of a hash, with NULL parameters.
func HashIdentifier(hash crypto.Hash) []byte { return Identifier(hashOIDs[hash], null) }

// RSA is PKCS#1 v1.5 with the hash.
func RSA(hash crypto.Hash) Algorithm {
	last := map[crypto.Hash]int{crypto.MD5: 4, crypto.SHA1: 5, crypto.SHA256: 11, crypto.SHA384: 12, crypto.SHA512: 13}[hash]
	return Algorithm{Identifier: Identifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, last}, null), Options: hash}
}

// PSS is RSASSA-PSS; maskHash is the hash of the mask generation in the parameters.
func PSS(hash, maskHash crypto.Hash, salt int) Algorithm {
	mask := Identifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}, HashIdentifier(maskHash))
	parameters := Element(TagSequence, Element(Explicit(0), HashIdentifier(hash)), Element(Explicit(1), mask),
		Element(Explicit(2), Integer(big.NewInt(int64(salt)))))
	return Algorithm{
		Identifier: Identifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}, parameters),
		Options:    &rsa.PSSOptions{SaltLength: salt, Hash: hash},
	}
}

// ECDSA is ECDSA with the hash.
func ECDSA(hash crypto.Hash) Algorithm {
	oid := asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, map[crypto.Hash]int{crypto.SHA256: 2, crypto.SHA384: 3, crypto.SHA512: 4}[hash]}
	if hash == crypto.SHA1 {
		oid = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1}
	}
	return Algorithm{Identifier: Identifier(oid, nil), Options: hash}
}

// Ed25519 is Ed25519.
func Ed25519() Algorithm {
	return Algorithm{Identifier: Identifier(asn1.ObjectIdentifier{1, 3, 101, 112}, nil)}
}

// AlgorithmFor returns the usual algorithm for the key.
func AlgorithmFor(key crypto.Signer) Algorithm {
	switch key := key.Public().(type) {
	case *ecdsa.PublicKey:
		switch key.Curve.Params().BitSize {
		case 384:
			return ECDSA(crypto.SHA384)
		case 521:
			return ECDSA(crypto.SHA512)
		}
		return ECDSA(crypto.SHA256)
	case ed25519.PublicKey:
		return Ed25519()
	}
	return RSA(crypto.SHA256)
}

func (a Algorithm) sign(key crypto.Signer, message []byte) ([]byte, error) {
	if a.Signature != nil {
		return a.Signature, nil
	}
	if key == nil {
		return nil, errors.New("ocsptest: no key to sign with")
	}
	if a.Options == nil {
		return key.Sign(rand.Reader, message, crypto.Hash(0))
	}
	h := a.Options.HashFunc().New()
	h.Write(message)
	return key.Sign(rand.Reader, h.Sum(nil), a.Options)
}

func bitString(content []byte) []byte { return Element(TagBitString, []byte{0}, content) }

func sum(hash crypto.Hash, content []byte) []byte {
	h := hash.New()
	h.Write(content)
	return h.Sum(nil)
}
