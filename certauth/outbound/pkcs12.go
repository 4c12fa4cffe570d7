package outbound

import (
	"crypto"
	"crypto/fips140"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf16"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/seed2886b8ae/go-certauth/internal/der"
)

// The library decrypts. This file first takes a PKCS#12 file apart, for two reasons: the library derives keys with any
// number of iterations that a file demands, and it accepts only one key and two parts. So each key is combined with one
// part of the certificates in a new file with its own MAC, after the cost of all derivations is known to be bounded
// (pkcs12cost.go) and the MAC of the original file is known to be right. The contents of an encrypted part cannot be
// seen beforehand. If it holds a second key, the library refuses it before deriving anything for it, because a key came
// first.

// The structures of RFC 7292, section 4, as far as they are needed.
type (
	pfxFile struct {
		Version  int
		AuthSafe pfxContent
		MacData  pfxMAC `asn1:"optional"`
	}
	pfxContent struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"tag:0,explicit,optional"`
	}
	pfxMAC struct {
		Mac        pfxDigest
		Salt       []byte
		Iterations int `asn1:"optional,default:1"`
	}
	pfxDigest struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
	pfxEncrypted struct {
		Version int
		Info    struct {
			Type      asn1.ObjectIdentifier
			Algorithm pkix.AlgorithmIdentifier
			Content   asn1.RawValue `asn1:"tag:0,optional"`
		}
	}
	pfxBag struct {
		Type       asn1.ObjectIdentifier
		Value      asn1.RawValue `asn1:"tag:0,explicit"`
		Attributes asn1.RawValue `asn1:"optional"`
	}
	pfxShrouded struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
)

var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidEncryptedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
	oidKeyBag        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 1}
	oidShroudedBag   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
	oidCertBag       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3}
	oidSHA256        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidPBMAC1        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 14}
)

const (
	maxParts  = 8         // of the authenticated safe; two are usual
	maxBags   = 256       // of one part that is not encrypted
	maxSalt   = 1024      // bytes; 8 to 20 are usual
	maxSealed = 256 << 10 // bytes of one encrypted part; the library may allocate up to a hundred times as much for it
)

// versionOf returns the version with which a sequence begins: 3 for PKCS#12, 0 or 1 for private keys, and -1 if there is
// none, as in a certificate.
func versionOf(data []byte) int {
	var outer struct {
		Version int
		Rest    asn1.RawValue
	}
	if _, err := asn1.Unmarshal(data, &outer); err != nil {
		return -1
	}
	return outer.Version
}

// parsedPFX is a PKCS#12 file that was taken apart.
type parsedPFX struct {
	file      pfxFile
	macKind   macKind
	macCost   cost
	keys      [][]byte     // bags with keys in DER, encrypted or not
	keyCosts  []cost       // of each of them
	parts     []pfxContent // parts with certificates
	partCosts []cost       // of each of them
	encrypted bool         // a password is needed
}

// decodePKCS12 returns the certificates and keys of a PKCS#12 file. An empty password also means no password.
func decodePKCS12(data []byte, password string) ([]*x509.Certificate, []crypto.Signer, error) {
	if fips140.Enforced() {
		forbidden := fail(ReasonMalformed, "GODEBUG=fips140=only forbids the key derivations of PKCS#12; use PEM")
		forbidden.Hint = "convert the file: openssl pkcs12 -nodes; nobody else must be able to read the result, because its key is not encrypted"
		return nil, nil, forbidden
	}
	file, err := parsePKCS12(data)
	if err != nil {
		return nil, nil, asError(err, ReasonMalformed)
	}
	if err := file.affordable(); err != nil {
		return nil, nil, asError(err, ReasonMalformed)
	}
	bmp := bmpString(password)
	if bmp == nil {
		return nil, nil, fail(ReasonPasswordWrong, "the password has characters that PKCS#12 cannot encode")
	}
	if err := file.checkMAC(data, password); err != nil {
		return nil, nil, err
	}
	certs, keys, err := file.open(password, bmp)
	if err != nil && password == "" && file.encrypted {
		// An empty password and no password give two different keys, and programs disagree about which one they use.
		certs, keys, err = file.open(password, nil)
	}
	switch {
	case err == nil:
		return certs, keys, nil
	case file.encrypted && file.macKind == macNone:
		return nil, nil, wrongPassword(password, "cannot be decrypted with this password, or damaged; there is no MAC to distinguish the two")
	}
	return nil, nil, asError(err, ReasonMalformed)
}

func parsePKCS12(data []byte) (*parsedPFX, error) {
	p := &parsedPFX{}
	if err := unmarshal(data, &p.file); err != nil {
		return nil, errors.New("not PKCS#12 in DER, or truncated")
	}
	if p.file.Version != 3 || !p.file.AuthSafe.Type.Equal(oidData) {
		return nil, errors.New("not a PKCS#12 file of version 3 in password integrity mode")
	}
	var safe []byte
	if err := unmarshal(p.file.AuthSafe.Content.Bytes, &safe); err != nil {
		return nil, errors.New("no authenticated safe")
	}
	parts, ok := elements(safe, maxParts)
	if !ok || len(parts) == 0 {
		return nil, fail(ReasonMalformed, "the authenticated safe is not a sequence of 1 to %d parts", maxParts)
	}
	var err error
	if p.macKind, p.macCost, err = macCost(&p.file.MacData); err != nil {
		return nil, err
	}
	for _, full := range parts {
		var part pfxContent
		if err := unmarshal(full, &part); err != nil {
			return nil, errors.New("a part cannot be read")
		}
		if err := p.addPart(&part); err != nil {
			return nil, err
		}
	}
	switch {
	case len(p.keys) == 0:
		return nil, fail(ReasonKeyMissing, "no key outside the encrypted part with the certificates")
	case len(p.parts) == 0:
		return nil, malformed("export the key with its certificate and chain", "no certificate, only a key")
	case len(p.keys) > maxParts:
		return nil, fail(ReasonMalformed, "%d keys, want at most %d", len(p.keys), maxParts)
	}
	return p, nil
}

// addPart separates the keys of one part from the certificates.
func (p *parsedPFX) addPart(part *pfxContent) error {
	switch {
	case part.Type.Equal(oidEncryptedData):
		var encrypted pfxEncrypted
		if err := unmarshal(part.Content.Bytes, &encrypted); err != nil {
			return errors.New("an encrypted part cannot be read")
		}
		if size := len(encrypted.Info.Content.Bytes); size > maxSealed {
			return fail(ReasonMalformed, "an encrypted part of %d bytes, want at most %d", size, maxSealed)
		}
		c, err := encryptionCost(encrypted.Info.Algorithm)
		if err != nil {
			return err
		}
		p.encrypted = true
		p.parts, p.partCosts = append(p.parts, *part), append(p.partCosts, c)
		return nil
	case !part.Type.Equal(oidData):
		return errors.New("a part is neither data nor encrypted by password")
	}
	var octets []byte
	if err := unmarshal(part.Content.Bytes, &octets); err != nil {
		return errors.New("a part cannot be read")
	}
	bags, ok := elements(octets, maxBags)
	if !ok {
		return fail(ReasonMalformed, "a part is not a sequence of at most %d bags", maxBags)
	}
	var certs []asn1.RawValue
	for _, full := range bags {
		var bag pfxBag
		if err := unmarshal(full, &bag); err != nil {
			return errors.New("a bag cannot be read")
		}
		bag.Attributes = asn1.RawValue{} // names and identifiers of keys, which are not needed here
		plain, err := asn1.Marshal(bag)
		if err != nil {
			return errors.New("a bag cannot be encoded")
		}
		switch {
		case bag.Type.Equal(oidKeyBag):
			if size := len(bag.Value.Bytes); size > maxKey {
				return fail(ReasonMalformed, "a key of %d bytes, want at most %d", size, maxKey)
			}
			p.keys, p.keyCosts = append(p.keys, plain), append(p.keyCosts, 0)
		case bag.Type.Equal(oidShroudedBag):
			var shrouded pfxShrouded
			if err := unmarshal(bag.Value.Bytes, &shrouded); err != nil {
				return errors.New("an encrypted key cannot be read")
			}
			if size := len(shrouded.Data); size > maxKey {
				return fail(ReasonMalformed, "an encrypted key of %d bytes, want at most %d", size, maxKey)
			}
			c, err := encryptionCost(shrouded.Algorithm)
			if err != nil {
				return err
			}
			p.encrypted = true
			p.keys, p.keyCosts = append(p.keys, plain), append(p.keyCosts, c)
		case bag.Type.Equal(oidCertBag):
			certs = append(certs, asn1.RawValue{FullBytes: plain})
		default: // CRLs and secret keys, which other parts of an application keep in the same file
		}
	}
	if len(certs) > 0 {
		rest, err := dataPart(certs)
		if err != nil {
			return err
		}
		p.parts, p.partCosts = append(p.parts, rest), append(p.partCosts, 0)
	}
	return nil
}

// checkMAC checks that the file is complete and the password right. The library checks the MAC first and then refuses
// the file, because it is no trust store; only its verdict on the MAC is used.
func (p *parsedPFX) checkMAC(data []byte, password string) error {
	if p.macKind == macNone {
		return nil
	}
	wrong := func(data []byte) (bool, error) {
		_, err := pkcs12.DecodeTrustStore(data, password)
		return errors.Is(err, pkcs12.ErrIncorrectPassword), err
	}
	if is, _ := wrong(data); is {
		return wrongPassword(password, "the MAC does not match: another password, or the file was changed")
	}
	if p.macKind != macPBMAC1 {
		return nil // its parameters are known to be valid, so the MAC matches
	}
	// The parameters of PBMAC1 can be invalid in more ways. If they are valid, another digest must not match.
	other := p.file
	other.MacData.Mac.Digest = append([]byte(nil), other.MacData.Mac.Digest...)
	if len(other.MacData.Mac.Digest) == 0 {
		return fail(ReasonMalformed, "the MAC is empty")
	}
	other.MacData.Mac.Digest[0] ^= 1
	changed, err := asn1.Marshal(other)
	if err != nil {
		return fail(ReasonMalformed, "the MAC cannot be encoded")
	}
	if is, _ := wrong(changed); !is {
		return fail(ReasonMalformed, "the parameters of the MAC are not valid")
	}
	return nil
}

// wrongPassword adds what is peculiar about the password, and never the password itself.
func wrongPassword(password, detail string) *Error {
	switch {
	case password == "":
		detail += "; no password was given"
	case strings.TrimSpace(password) != password:
		detail += "; it begins or ends with white space, such as the line end of a file"
	}
	return fail(ReasonPasswordWrong, "%s", detail)
}

// bmpString encodes the password in UTF-16, big endian, with two zero bytes at the end (RFC 7292, appendix B.1). It
// returns nil if the password has characters outside the basic plane.
func bmpString(password string) []byte {
	encoded := make([]byte, 0, 2*len(password)+2)
	for _, r := range password {
		if utf16.IsSurrogate(r) || r > 0xFFFF {
			return nil
		}
		encoded = binary.BigEndian.AppendUint16(encoded, uint16(r)) //nolint:gosec // G115: bounded above
	}
	return append(encoded, 0, 0)
}

// elements returns the elements of a sequence, up to the limit. encoding/asn1 would first allocate all of them, which
// can take a hundred times the size of the input.
func elements(sequence []byte, limit int) (found [][]byte, ok bool) {
	outer, rest, ok := der.Read(sequence)
	if !ok || outer.Tag != der.Sequence || len(rest) > 0 {
		return nil, false
	}
	for rest = outer.Content; len(rest) > 0; {
		var element der.Element
		if element, rest, ok = der.Read(rest); !ok || len(found) == limit {
			return nil, false
		}
		found = append(found, element.Full)
	}
	return found, true
}

// unmarshal requires one value and nothing after it.
func unmarshal(data []byte, value any) error {
	rest, err := asn1.Unmarshal(data, value)
	if err == nil && len(rest) > 0 {
		err = errors.New("bytes after the end")
	}
	return err
}
