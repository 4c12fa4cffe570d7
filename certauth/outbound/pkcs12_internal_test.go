package outbound

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math"
	"math/big"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hostile builds PKCS#12 files that no program writes.
type hostile struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert []byte
}

func newHostile(t *testing.T) *hostile {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "orders"}, NotAfter: time.Unix(1<<33, 0), NotBefore: time.Unix(0, 0)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return &hostile{t, key, cert}
}

func (h *hostile) der(value any) []byte {
	h.t.Helper()
	der, err := asn1.Marshal(value)
	require.NoError(h.t, err)
	return der
}

func (h *hostile) bag(kind asn1.ObjectIdentifier, content []byte) []byte {
	return h.der(pfxBag{Type: kind, Value: asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: content}})
}

func (h *hostile) keyBag() []byte {
	der, err := x509.MarshalPKCS8PrivateKey(h.key)
	require.NoError(h.t, err)
	return h.bag(oidKeyBag, der)
}

func (h *hostile) certBag() []byte {
	content := h.der(struct {
		Type asn1.ObjectIdentifier
		Data []byte `asn1:"tag:0,explicit"`
	}{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1}, h.cert})
	return h.bag(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3}, content)
}

// pbes2 is AES-256 with that number of PBKDF2 iterations in its parameters, but only one in
// reality.
func (h *hostile) pbes2(iterations int, salt []byte) pkix.AlgorithmIdentifier {
	kdf := h.der(struct {
		Salt       []byte
		Iterations int
		PRF        pkix.AlgorithmIdentifier
	}{salt, iterations, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}, Parameters: asn1.NullRawValue}})
	params := h.der(struct{ KDF, Scheme pkix.AlgorithmIdentifier }{
		pkix.AlgorithmIdentifier{Algorithm: oidPBKDF2, Parameters: asn1.RawValue{FullBytes: kdf}},
		pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}, Parameters: asn1.RawValue{FullBytes: h.der(make([]byte, aes.BlockSize))}},
	})
	return pkix.AlgorithmIdentifier{Algorithm: oidPBES2, Parameters: asn1.RawValue{FullBytes: params}}
}

func (h *hostile) encrypt(plain, salt []byte) []byte {
	key, err := pbkdf2.Key(sha256.New, "", salt, 1, 32)
	require.NoError(h.t, err)
	block, err := aes.NewCipher(key)
	require.NoError(h.t, err)
	padding := aes.BlockSize - len(plain)%aes.BlockSize
	for range padding {
		plain = append(plain, byte(padding))
	}
	sealed := make([]byte, len(plain))
	cipher.NewCBCEncrypter(block, make([]byte, aes.BlockSize)).CryptBlocks(sealed, plain)
	return sealed
}

func (h *hostile) shroudedBag(iterations int) []byte {
	return h.bag(oidShroudedBag, h.der(pfxShrouded{Algorithm: h.pbes2(iterations, []byte("12345678")), Data: make([]byte, 48)}))
}

func (h *hostile) bags(bags ...[]byte) []byte {
	var raw []asn1.RawValue
	for _, bag := range bags {
		raw = append(raw, asn1.RawValue{FullBytes: bag})
	}
	return h.der(raw)
}

func (h *hostile) explicit(content []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: content}
}

func (h *hostile) open(bags ...[]byte) pfxContent {
	return pfxContent{Type: oidData, Content: h.explicit(h.der(h.bags(bags...)))}
}

func (h *hostile) sealed(iterations int, salt []byte, bags ...[]byte) pfxContent {
	content := h.der(struct {
		Version int
		Info    struct {
			Type      asn1.ObjectIdentifier
			Algorithm pkix.AlgorithmIdentifier
			Content   []byte `asn1:"tag:0"`
		}
	}{Info: struct {
		Type      asn1.ObjectIdentifier
		Algorithm pkix.AlgorithmIdentifier
		Content   []byte `asn1:"tag:0"`
	}{oidData, h.pbes2(iterations, salt), h.encrypt(h.bags(bags...), salt)}})
	return pfxContent{Type: oidEncryptedData, Content: h.explicit(content)}
}

func (h *hostile) file(mac pfxMAC, parts ...pfxContent) []byte {
	return h.der(pfxFile{Version: 3, AuthSafe: pfxContent{Type: oidData, Content: h.explicit(h.der(h.der(parts)))}, MacData: mac})
}

func TestPKCS12_HostileFiles(t *testing.T) {
	h := newHostile(t)
	salt := []byte("12345678")
	var keys [][]byte
	for range maxParts + 1 {
		keys = append(keys, h.keyBag())
	}
	classic := func(iterations int, salt []byte) pfxMAC {
		return pfxMAC{Mac: pfxDigest{Algorithm: pkix.AlgorithmIdentifier{Algorithm: oidSHA256, Parameters: asn1.NullRawValue}, Digest: make([]byte, 32)}, Salt: salt, Iterations: iterations}
	}
	for _, tc := range []struct {
		name string
		file []byte
		want Reason
	}{
		{"the builder's file is right", h.file(pfxMAC{}, h.sealed(1, salt, h.certBag()), h.open(h.keyBag())), ""},
		{"all in the clear in one part", h.file(pfxMAC{}, h.open(h.certBag(), h.keyBag())), ""},
		{"three parts", h.file(pfxMAC{}, h.open(h.keyBag()), h.open(h.certBag()), h.sealed(1, salt, h.certBag())), ""},
		{"the same key twice", h.file(pfxMAC{}, h.open(h.keyBag(), h.keyBag(), h.certBag())), ""},
		// The library would derive this key forever: it is inside an encrypted part, where the iterations cannot be
		// counted beforehand.
		{"a key with 2^30 iterations inside the encrypted part", h.file(pfxMAC{}, h.sealed(1, salt, h.certBag(), h.shroudedBag(1<<30)), h.open(h.keyBag())), ReasonPasswordWrong},
		{"the same, with no key outside", h.file(pfxMAC{}, h.sealed(1, salt, h.certBag(), h.shroudedBag(1<<30))), ReasonKeyMissing},
		{"a key with 2^30 iterations", h.file(pfxMAC{}, h.open(h.certBag(), h.shroudedBag(1<<30))), ReasonMalformed},
		{"one such key after a harmless one", h.file(pfxMAC{}, h.open(h.certBag(), h.keyBag(), h.shroudedBag(1<<30))), ReasonMalformed},
		{"an encrypted part with 2^30 iterations", h.file(pfxMAC{}, h.sealed(1<<30, salt, h.certBag()), h.open(h.keyBag())), ReasonMalformed},
		{"a MAC with 2^30 iterations", h.file(classic(1<<30, salt), h.open(h.certBag(), h.keyBag())), ReasonMalformed},
		{"a MAC with no iterations", h.file(classic(-1, salt), h.open(h.certBag(), h.keyBag())), ReasonMalformed},
		{"a MAC with a long salt", h.file(classic(1, make([]byte, maxSalt+1)), h.open(h.certBag(), h.keyBag())), ReasonMalformed},
		{"an encryption with a long salt", h.file(pfxMAC{}, h.sealed(1, make([]byte, maxSalt+1), h.certBag()), h.open(h.keyBag())), ReasonMalformed},
		{"a MAC that does not match", h.file(classic(1, salt), h.open(h.certBag(), h.keyBag())), ReasonPasswordWrong},
		{"a MAC of another kind", h.file(pfxMAC{Mac: pfxDigest{Algorithm: pkix.AlgorithmIdentifier{Algorithm: oidData}}}, h.open(h.certBag(), h.keyBag())), ReasonMalformed},
		{"PBMAC1 without parameters", h.file(pfxMAC{Mac: pfxDigest{Algorithm: pkix.AlgorithmIdentifier{Algorithm: oidPBMAC1}, Digest: []byte{1}}}, h.open(h.certBag(), h.keyBag())), ReasonMalformed},
		{"an encrypted part that is too large", h.file(pfxMAC{}, h.sealed(1, salt, h.certBag(), h.bag(oidData, make([]byte, maxSealed))), h.open(h.keyBag())), ReasonMalformed},
		{"an encrypted key that is too large", h.file(pfxMAC{}, h.open(h.certBag(), h.keyBag(), h.bag(oidShroudedBag, h.der(pfxShrouded{Algorithm: h.pbes2(1, salt), Data: make([]byte, maxSealed+1)})))), ReasonMalformed},
		{"too many keys", h.file(pfxMAC{}, h.open(append(keys, h.certBag())...)), ReasonMalformed},
		{"too many parts", h.file(pfxMAC{}, h.open(keys[0]), h.open(keys[0]), h.open(keys[0]), h.open(keys[0]), h.open(keys[0]), h.open(keys[0]), h.open(keys[0]), h.open(keys[0]), h.open(h.certBag())), ReasonMalformed},
		{"no part", h.file(pfxMAC{}), ReasonMalformed},
		{"no certificate", h.file(pfxMAC{}, h.open(h.keyBag())), ReasonMalformed},
		{"no key", h.file(pfxMAC{}, h.open(h.certBag())), ReasonKeyMissing},
	} {
		t.Run(tc.name, func(t *testing.T) {
			type answer struct {
				certs []*x509.Certificate
				keys  []crypto.Signer
				err   error
			}
			answers := make(chan answer, 1)
			go func() {
				certs, keys, err := decodePKCS12(tc.file, "")
				answers <- answer{certs, keys, err}
			}()
			select {
			case a := <-answers:
				if tc.want == "" {
					require.NoError(t, a.err)
					assert.NotEmpty(t, a.certs)
					assert.True(t, h.key.Equal(a.keys[0]))
					return
				}
				require.Error(t, a.err)
				assert.Equal(t, tc.want, asError(a.err, "").Reason, "%v", a.err)
			case <-time.After(time.Minute):
				require.Fail(t, "it derives keys forever")
			}
		})
	}
}

// finding O2: checking a private RSA key of a few hundred kilobytes took minutes at each load, during which no other
// certificate could be loaded.
func TestDecode_KeysThatTakeLongToCheck(t *testing.T) {
	number := func(bits uint) *big.Int { return new(big.Int).SetBit(new(big.Int).Lsh(big.NewInt(5), bits-3), 0, 1) }
	p, q := number(32768), new(big.Int).Add(number(32768), big.NewInt(2))
	h := newHostile(t)
	long := h.der(struct {
		Version                     int
		N, E, D, P, Q, Dp, Dq, Qinv *big.Int
	}{0, new(big.Int).Mul(p, q), big.NewInt(65537), number(65528), p, q, number(32760), number(32760), number(32760)})
	wrapped := h.der(struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}{0, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, Parameters: asn1.NullRawValue}, long})
	inPEM := func(kind string, data []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}) }
	for name, data := range map[string][]byte{
		"PKCS#1":             inPEM("RSA PRIVATE KEY", long),
		"PKCS#8":             inPEM("PRIVATE KEY", wrapped),
		"EC":                 inPEM("EC PRIVATE KEY", wrapped),
		"PKCS#12":            h.file(pfxMAC{}, h.open(h.certBag(), h.bag(oidKeyBag, wrapped))),
		"PKCS#12, encrypted": h.file(pfxMAC{}, h.open(h.certBag(), h.bag(oidShroudedBag, h.der(pfxShrouded{Algorithm: h.pbes2(1, []byte("12345678")), Data: make([]byte, 8193)})))),
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := decode(&blob{data: data}, "")
			require.ErrorContains(t, err, "bytes, want at most 8192")
			assert.Equal(t, ReasonMalformed, asError(err, "").Reason)
		})
	}
}

func TestPKCS12_BoundariesOfWork(t *testing.T) {
	for _, tc := range []struct {
		n, salt int
		ok      bool
	}{
		{1, 0, true},
		{maxIterations, maxSalt, true},
		{maxIterations + 1, 8, false},
		{1, maxSalt + 1, false},
		{0, 8, false},
		{-1, 8, false},
		{math.MaxInt, 8, false},
		{math.MinInt, 8, false},
	} {
		_, err := iterations(tc.n, make([]byte, tc.salt))
		assert.Equal(t, tc.ok, err == nil, "%d iterations, %d bytes: %v", tc.n, tc.salt, err)
	}
	one := func(mac, key, part cost) error {
		return (&parsedPFX{macCost: mac, keyCosts: []cost{key}, partCosts: []cost{part}}).affordable()
	}
	require.NoError(t, one(maxIterations*weightClassicMAC, maxIterations*weightPBKDF2, maxIterations*weightPBKDF2), "the highest count for everything, with today's algorithms")
	require.NoError(t, one(0, 0, maxCost))
	require.Error(t, one(1, 0, maxCost))
	// The first key is combined with each part, the others with the first part.
	many := &parsedPFX{keyCosts: []cost{1, 10, 100}, partCosts: []cost{1000, 10_000}}
	many.macCost = maxCost - (1 + 1000) - (1 + 10_000) - (10 + 1000) - (100 + 1000)
	require.NoError(t, many.affordable())
	many.macCost++
	require.Error(t, many.affordable())
}

// Files that consist of the smallest possible elements: each costs many times its size in memory. The total
// allocation bounds the memory in use at one time.
func TestDecode_MemoryOfManySmallElements(t *testing.T) {
	h := newHostile(t)
	salt := []byte("12345678")
	const room, sealed = maxSize - 2048, maxSealed - 1024
	sequence := func(tag int, element []byte, room int) asn1.RawValue {
		return asn1.RawValue{Tag: tag, IsCompound: true, Bytes: bytes.Repeat(element, room/len(element))}
	}
	empty, part, attribute := []byte{0x30, 0}, []byte{0x30, 3, 6, 1, 0x2A}, []byte{0x30, 5, 6, 1, 0x2A, 0x31, 0}
	wide := func(attribute []byte, room int) []byte {
		private, err := x509.MarshalPKCS8PrivateKey(h.key)
		require.NoError(t, err)
		return h.der(pfxBag{Type: oidKeyBag, Value: h.explicit(private), Attributes: asn1.RawValue{FullBytes: h.der(sequence(asn1.TagSet, attribute, room))}})
	}
	small := h.der(pfxBag{Type: oidData, Value: h.explicit(nil)})
	certificate := func(change func(*x509.Certificate)) []byte {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1<<33, 0)}
		change(template)
		cert, err := x509.CreateCertificate(rand.Reader, template, template, h.key.Public(), h.key)
		require.NoError(t, err)
		return cert
	}
	for name, file := range map[string][]byte{
		"bags":                  h.file(pfxMAC{}, pfxContent{Type: oidData, Content: h.explicit(h.der(h.der(sequence(asn1.TagSequence, empty, room))))}),
		"parts":                 h.der(pfxFile{Version: 3, AuthSafe: pfxContent{Type: oidData, Content: h.explicit(h.der(h.der(sequence(asn1.TagSequence, part, room))))}}),
		"attributes":            h.file(pfxMAC{}, h.open(wide(attribute, room), h.certBag())),
		"attributes, encrypted": h.file(pfxMAC{}, h.sealed(1, salt, wide(attribute, sealed)), h.open(h.keyBag())),
		"attributes, too many":  h.file(pfxMAC{}, h.sealed(1, salt, wide(attribute, maxSealed)), h.open(h.keyBag())),
		"bags, encrypted":       h.file(pfxMAC{}, h.sealed(1, salt, slices.Repeat([][]byte{small}, sealed/len(small))...), h.open(h.keyBag())),
		"alternative names": certificate(func(c *x509.Certificate) {
			names := h.der(sequence(asn1.TagSequence, []byte{0x82, 1, 'a'}, room))
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: names}}
		}),
		"extensions": certificate(func(c *x509.Certificate) {
			for i := range 40_000 {
				c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, i}, Value: []byte{5, 0}})
			}
		}),
		"subject": certificate(func(c *x509.Certificate) {
			c.RawSubject = h.der(sequence(asn1.TagSequence, []byte{0x31, 8, 0x30, 6, 6, 1, 0x2A, 0x0C, 1, 'a'}, room/2-1024))
		}),
	} {
		t.Run(name, func(t *testing.T) {
			require.LessOrEqual(t, len(file), maxSize)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			p, err := decodeAll(t.Context(), []blob{{name: name, data: file}}, "")
			require.NoError(t, err)
			if everything, _ := (Select{}).compile(); len(p.failures) == 0 {
				_, err = p.choose(everything, false, time.Unix(1<<31, 0)) // it also counts the text of an error
			}
			runtime.ReadMemStats(&after)
			t.Logf("%d KiB: %d MiB: %v, %v", len(file)>>10, (after.TotalAlloc-before.TotalAlloc)>>20, p.failures, err)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20))
		})
	}
}
