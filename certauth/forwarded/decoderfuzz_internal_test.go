package forwarded

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hostile adds sentinels and damage of the adversarial list that are meaningful in every format.
func hostile(values ...string) []string {
	list := append([]string(nil), values...)
	for _, value := range values {
		half := len(value) / 2
		list = append(list, value+",", ","+value, value+","+value, value+", "+value, value+value, value[:half], value[half:], value[:half]+"\n"+value[half:], value[:half]+" "+value[half:],
			value+"\x00", "\ufeff"+value, " "+value, value+" ", value+"=", value+"%0A", value+"%0D%0A", value+"%", strings.ReplaceAll(value, "+", "%2b"), strings.ReplaceAll(value, "%", "%25"),
			strings.ReplaceAll(value, "%2B", "+"), strings.ReplaceAll(value, "%0A", "%0D%0A"), strings.ReplaceAll(value, "%", "%2"), strings.ToLower(value), strings.ReplaceAll(value, "=", ""))
	}
	return append(list, "", "=", "A", ",", ":", "::", ":::", "(null)", "<nil>", "null", "-", "%", "%zz", "%00", "%C0%AF", strings.Repeat(",", 100), strings.Repeat(";", 100), strings.Repeat("-----BEGIN", 100))
}

func addAll(f *testing.F, values []string) {
	f.Helper()
	for _, value := range values {
		f.Add(value)
	}
}

// consistent holds for every decoder: it returns certificates or an error, never both or neither,
// only a few certificates, and an error text of bounded length.
func consistent(t *testing.T, certs []*x509.Certificate, err error, most int) bool {
	t.Helper()
	if err != nil {
		assert.Empty(t, certs)
		assert.LessOrEqual(t, len(err.Error()), 1024)
		return false
	}
	assert.NotEmpty(t, certs)
	assert.LessOrEqual(t, len(certs), most)
	for _, cert := range certs {
		if !assert.NotNil(t, cert) {
			return false
		}
	}
	return !t.Failed()
}

func texts(certs []*x509.Certificate) []string {
	var list []string
	for _, cert := range certs {
		list = append(list, base64.StdEncoding.EncodeToString(cert.Raw))
	}
	return list
}

// plainDER reads one certificate with the standard library only. A certificate sent along with the
// leaf need only be framed as one.
func plainDER(der []byte, beside bool) (*x509.Certificate, bool) {
	cert, err := x509.ParseCertificate(der)
	if err == nil {
		return cert, true
	}
	var whole asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &whole); !beside || err != nil || len(rest) > 0 || whole.Class != asn1.ClassUniversal || whole.Tag != asn1.TagSequence || !whole.IsCompound {
		return nil, false
	}
	if len(whole.Bytes) == 0 || whole.Bytes[0] != 0x30 {
		return nil, false
	}
	return &x509.Certificate{Raw: der}, true
}

// plainBase64 reads canonical base64 of concatenated DER certificates with the standard library
// only.
func plainBase64(value string) ([]*x509.Certificate, bool) {
	rest, err := base64.StdEncoding.DecodeString(value)
	if err != nil || base64.StdEncoding.EncodeToString(rest) != value {
		return nil, false
	}
	var certs []*x509.Certificate
	for len(rest) > 0 {
		var one asn1.RawValue
		if rest, err = asn1.Unmarshal(rest, &one); err != nil {
			return nil, false
		}
		cert, ok := plainDER(one.FullBytes, true)
		if !ok {
			return nil, false
		}
		certs = append(certs, cert)
	}
	return certs, len(certs) > 0
}

// plainList reads items one by one. With a leaf, the first item must be a complete certificate.
func plainList(items []string, leaf bool, trim func(string) (string, bool)) ([]*x509.Certificate, bool) {
	var certs []*x509.Certificate
	for i, item := range items {
		item, ok := trim(item)
		if !ok || len(item) > maxLeafHeader {
			return nil, false
		}
		der, err := base64.StdEncoding.DecodeString(item)
		if err != nil || base64.StdEncoding.EncodeToString(der) != item {
			return nil, false
		}
		cert, ok := plainDER(der, i > 0 || !leaf)
		if !ok {
			return nil, false
		}
		certs = append(certs, cert)
	}
	return certs, len(certs) <= maxCertificates
}

func sameCertificates(t *testing.T, want, have []*x509.Certificate) {
	t.Helper()
	assert.Equal(t, texts(want), texts(have))
}

// The certificates are the same as those read by hand, and joining them again gives the same text.
func FuzzBase64List(f *testing.F) {
	leaf, other := capturedCertificate(f, "client-ec"), capturedCertificate(f, "a-intermediate")
	addAll(f, capturedValues(f, "traefik"))
	addAll(f, hostile(strings.Join(texts([]*x509.Certificate{leaf, other}), ",")))
	f.Fuzz(func(t *testing.T, value string) {
		certs, err := decodeBase64List(value)
		want, ok := plainList(strings.Split(value, ","), true, func(s string) (string, bool) { return s, true })
		assert.Equal(t, ok && len(value) <= maxChainHeader, err == nil, "%v", err)
		if consistent(t, certs, err, maxCertificates) {
			sameCertificates(t, want, certs)
			assert.Equal(t, value, strings.Join(texts(certs), ","))
		}
	})
}

func FuzzBase64Concatenated(f *testing.F) {
	leaf, other := capturedCertificate(f, "client-ec"), capturedCertificate(f, "a-intermediate")
	addAll(f, capturedValues(f, "base64-der-concat"))
	addAll(f, hostile(base64.StdEncoding.EncodeToString(append(leaf.Raw[:len(leaf.Raw):len(leaf.Raw)], other.Raw...))))
	f.Fuzz(func(t *testing.T, value string) {
		certs, err := decodeBase64Concatenated(value)
		want, ok := plainBase64(value)
		assert.Equal(t, ok && len(value) <= maxChainHeader && len(want) <= maxCertificates, err == nil, "%v", err)
		if consistent(t, certs, err, maxCertificates) {
			sameCertificates(t, want, certs)
			var der []byte
			for _, cert := range certs {
				der = append(der, cert.Raw...)
			}
			assert.Equal(t, value, base64.StdEncoding.EncodeToString(der))
		}
	})
}

func inner(value string) (string, bool) {
	if len(value) < 2 || value[0] != ':' || value[len(value)-1] != ':' {
		return "", false
	}
	return value[1 : len(value)-1], true
}

func FuzzByteSequence(f *testing.F) {
	addAll(f, capturedValues(f, "rfc9440"))
	addAll(f, hostile(":"+texts([]*x509.Certificate{capturedCertificate(f, "rfc9440-leaf")})[0]+":"))
	f.Fuzz(func(t *testing.T, value string) {
		certs, err := sequenceCodec().read(value, nil)
		want, ok := plainList([]string{value}, true, inner)
		assert.Equal(t, ok, err == nil, "%v", err)
		if consistent(t, certs, err, 1) {
			sameCertificates(t, want, certs)
			assert.Equal(t, value, ":"+texts(certs)[0]+":")
		}
	})
}

// The only freedom is in spaces and tabs around a member.
func FuzzByteSequenceList(f *testing.F) {
	list := texts([]*x509.Certificate{capturedCertificate(f, "rfc9440-intermediate"), capturedCertificate(f, "rfc9440-root")})
	addAll(f, capturedValues(f, "rfc9440-list"))
	addAll(f, hostile(":"+list[0]+":\t,  :"+list[1]+":"))
	f.Fuzz(func(t *testing.T, value string) {
		certs, err := decodeByteSequenceList(value)
		items := strings.Split(value, ",")
		for i := range items {
			items[i] = strings.Trim(items[i], " \t")
		}
		want, ok := plainList(items, false, inner)
		assert.Equal(t, ok && len(value) <= maxChainHeader, err == nil, "%v", err)
		if consistent(t, certs, err, maxCertificates) {
			sameCertificates(t, want, certs)
			assert.Equal(t, strings.NewReplacer(" ", "", "\t", "").Replace(value), ":"+strings.Join(texts(certs), ":,:")+":")
		}
	})
}

// plainPEM reads the value with url.PathUnescape and a loop over pem.Decode.
func plainPEM(t *testing.T, text string) []*x509.Certificate {
	t.Helper()
	var certs []*x509.Certificate
	for rest := []byte(text); len(rest) > 0; {
		block, after := pem.Decode(rest)
		if !assert.NotNil(t, block) {
			return nil
		}
		assert.Equal(t, "CERTIFICATE", block.Type)
		assert.Empty(t, block.Headers)
		cert, ok := plainDER(block.Bytes, true)
		require.True(t, ok)
		certs, rest = append(certs, cert), after
	}
	return certs
}

func canonicalPEM(certs []*x509.Certificate) string {
	var b bytes.Buffer
	for _, cert := range certs {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	}
	return b.String()
}

// samePEM checks an accepted value. It may vary in which characters are escaped, in the case of the
// hex digits, in CR LF for LF, and in whether the last line ends.
func samePEM(t *testing.T, value string, certs []*x509.Certificate) {
	t.Helper()
	text, err := url.PathUnescape(value)
	require.NoError(t, err)
	sameCertificates(t, plainPEM(t, text), certs)
	assert.Equal(t, strings.TrimSuffix(canonicalPEM(certs), "\n"), strings.TrimSuffix(strings.ReplaceAll(text, "\r\n", "\n"), "\n"))
	for i := range len(value) {
		assert.True(t, 0x21 <= value[i] && value[i] <= 0x7e, "byte %#02x", value[i])
	}
	assert.NotContains(t, text, "%")
}

// acceptsOwn checks the converse: the canonical text of certificates is accepted.
func acceptsOwn(t *testing.T, decode func(string) ([]*x509.Certificate, error), certs []*x509.Certificate, limit int) {
	t.Helper()
	value := strings.ReplaceAll(url.QueryEscape(canonicalPEM(certs)), "+", "%20")
	if len(value) <= limit {
		again, err := decode(value)
		require.NoError(t, err)
		sameCertificates(t, certs, again)
	}
}

func FuzzURLPEM(f *testing.F) {
	addAll(f, capturedValues(f, "url-pem"))
	addAll(f, hostile(capturedValues(f, "url-pem")[0]))
	f.Fuzz(func(t *testing.T, value string) {
		certs, err := decodeURLPEM(value)
		if consistent(t, certs, err, 1) {
			samePEM(t, value, certs)
			acceptsOwn(t, decodeURLPEM, certs, maxLeafHeader)
		}
	})
}

func FuzzURLPEMChain(f *testing.F) {
	addAll(f, capturedValues(f, "url-pem"))
	both := canonicalPEM([]*x509.Certificate{capturedCertificate(f, "client-ec"), capturedCertificate(f, "a-intermediate")})
	addAll(f, hostile(strings.ReplaceAll(url.QueryEscape(both), "+", "%20"), strings.NewReplacer(" ", "%20", "\n", "%0a").Replace(both)))
	f.Fuzz(func(t *testing.T, value string) {
		certs, err := decodeURLPEMChain(value)
		if consistent(t, certs, err, maxCertificates) {
			samePEM(t, value, certs)
			acceptsOwn(t, decodeURLPEMChain, certs, maxChainHeader)
		}
		one, oneErr := decodeURLPEM(value)
		assert.Equal(t, len(certs) == 1 && len(value) <= maxLeafHeader, oneErr == nil)
		if oneErr == nil {
			sameCertificates(t, certs, one)
		}
	})
}

// There is no freedom: line ends are single spaces.
func FuzzSpacedPEM(f *testing.F) {
	addAll(f, capturedValues(f, "spaced-pem"))
	addAll(f, capturedValues(f, "numbered-spaced-pem"))
	addAll(f, hostile(capturedValues(f, "spaced-pem")[0]))
	f.Fuzz(func(t *testing.T, value string) {
		certs, err := single(decodeSpacedPEM)(value)
		if !consistent(t, certs, err, 1) {
			return
		}
		canonical := canonicalPEM(certs)
		lines := strings.Split(strings.TrimSuffix(canonical, "\n"), "\n")
		assert.Equal(t, value, strings.Join(lines, " "))
		sameCertificates(t, plainPEM(t, canonical), certs)
	})
}
