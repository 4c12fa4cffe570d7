package outbound

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
)

const (
	// maxIterations bounds one key derivation of a PKCS#12 file. openssl and Windows use 2 000 or 2 048 iterations,
	// keytool 10 000, NSS and cautious operators up to 600 000.
	maxIterations = 600_000

	// maxCost bounds the cost of opening a whole file, in iterations of the cheapest derivation.
	maxCost = 8_000_000

	// maxDerivedKey is the length in bytes of the longest key that the supported algorithms use.
	maxDerivedKey = 40
)

// cost is measured in iterations of a plain hash.
type cost int64

// macKind is the kind of MAC of a file.
type macKind int

const (
	macNone macKind = iota
	macClassic
	macPBMAC1
)

var (
	oidSHA1             = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	oidSHA512           = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}
	oidPBES2            = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2           = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidPBEWith3DES      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}
	oidPBEWithRC2Bits   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 5}
	oidPBEWithRC240Bits = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 6}
)

// Weights: the number of plain hashes per iteration, for the longest output that is derived. Derivations that depend on
// the encoding of an empty password may run a second time, see decodePKCS12.
const (
	weightClassicMAC = 2     // twice
	weightClassicPBE = 2 * 3 // twice; two blocks of key and one of initialisation vector
	weightPBKDF2     = 4     // HMAC takes two hashes, and with SHA-1 there are two blocks of key
	weightPBMAC1     = 3 * 4 // as above, and checkMAC computes it up to three times
)

// affordable computes the work of checkMAC and open in advance.
func (p *parsedPFX) affordable() error {
	total := p.macCost
	for i, key := range p.keyCosts {
		for j, part := range p.partCosts {
			if i == 0 || j == 0 {
				total += key + part
			}
		}
	}
	if total > maxCost {
		return malformed(exportAgain, "its key derivations cost %d hashes in all, want at most %d", total, maxCost)
	}
	return nil
}

// macCost returns the kind and the cost of the MAC.
func macCost(mac *pfxMAC) (macKind, cost, error) {
	algorithm := mac.Mac.Algorithm.Algorithm
	switch {
	case len(algorithm) == 0:
		return macNone, 0, nil
	case algorithm.Equal(oidPBMAC1):
		var params struct{ KDF, MAC pkix.AlgorithmIdentifier }
		if err := unmarshal(mac.Mac.Algorithm.Parameters.FullBytes, &params); err != nil {
			return macNone, 0, errors.New("the parameters of the MAC cannot be read")
		}
		c, err := pbkdf2Cost(params.KDF)
		return macPBMAC1, c * weightPBMAC1, err
	case algorithm.Equal(oidSHA1), algorithm.Equal(oidSHA256), algorithm.Equal(oidSHA512):
		c, err := iterations(mac.Iterations, mac.Salt)
		return macClassic, c * weightClassicMAC, err
	}
	return macNone, 0, malformed(exportAgain, "the MAC's algorithm %s is not supported", algorithm)
}

// encryptionCost returns the cost of a password-based encryption.
func encryptionCost(algorithm pkix.AlgorithmIdentifier) (cost, error) {
	switch {
	case algorithm.Algorithm.Equal(oidPBES2):
		var params struct{ KDF, Scheme pkix.AlgorithmIdentifier }
		if err := unmarshal(algorithm.Parameters.FullBytes, &params); err != nil {
			return 0, errors.New("the parameters of an encryption cannot be read")
		}
		c, err := pbkdf2Cost(params.KDF)
		return c * weightPBKDF2, err
	case algorithm.Algorithm.Equal(oidPBEWith3DES), algorithm.Algorithm.Equal(oidPBEWithRC2Bits), algorithm.Algorithm.Equal(oidPBEWithRC240Bits):
		var params struct {
			Salt       []byte
			Iterations int
		}
		if err := unmarshal(algorithm.Parameters.FullBytes, &params); err != nil {
			return 0, errors.New("the parameters of an encryption cannot be read")
		}
		c, err := iterations(params.Iterations, params.Salt)
		return c * weightClassicPBE, err
	}
	return 0, malformed(exportAgain, "encryption %s is not supported", algorithm.Algorithm)
}

func pbkdf2Cost(kdf pkix.AlgorithmIdentifier) (cost, error) {
	if !kdf.Algorithm.Equal(oidPBKDF2) {
		return 0, malformed(exportAgain, "key derivation %s is not supported", kdf.Algorithm)
	}
	var params struct {
		Salt       asn1.RawValue
		Iterations int
		KeyLength  int                      `asn1:"optional"`
		PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
	}
	if err := unmarshal(kdf.Parameters.FullBytes, &params); err != nil {
		return 0, errors.New("the parameters of PBKDF2 cannot be read")
	}
	if params.KeyLength < 0 || params.KeyLength > maxDerivedKey {
		return 0, malformed(exportAgain, "PBKDF2 with a key of %d bytes, want at most %d", params.KeyLength, maxDerivedKey)
	}
	return iterations(params.Iterations, params.Salt.Bytes)
}

func iterations(n int, salt []byte) (cost, error) {
	if n < 1 || n > maxIterations {
		return 0, malformed(exportAgain, "%d iterations, want 1 to %d", n, maxIterations)
	}
	if len(salt) > maxSalt {
		return 0, malformed(exportAgain, "a salt of %d bytes, want at most %d", len(salt), maxSalt)
	}
	return cost(n), nil
}
