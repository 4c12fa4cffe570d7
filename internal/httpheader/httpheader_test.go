package httpheader_test

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/httpheader"
)

func TestCheck_NamesThatCarrySomething(t *testing.T) {
	for name, want := range map[string]string{
		"X-Client-Cert":         "",
		"SSL_CLIENT_CERT":       "",
		"ssl-client-cert":       "",
		"X-Forwarded-Host":      "",
		"Client-Cert":           "",
		"Content-Type":          "",
		"x":                     "",
		strings.Repeat("x", 63): "",
		strings.Repeat("x", 64): "not a token of at most 63 bytes",
		"":                      "not a token",
		" X":                    "not a token",
		"X Y":                   "not a token",
		"X:":                    "not a token",
		":authority":            "not a token",
		":path":                 "not a token",
		"X\u2011Y":              "not a token",
		"X\r\nY":                "not a token",
		"Host":                  "Request.Host",
		"HOST":                  "Request.Host",
		"Trailer":               "Request.Trailer",
		"transfer-encoding":     "framing",
		"Transfer_Encoding":     "framing",
		"Content.Length":        "framing",
		"Connection":            "one connection",
		"Proxy-Connection":      "one connection",
		"Keep-Alive":            "one connection",
		"TE":                    "one connection",
		"Upgrade":               "one connection",
		"HTTP2-Settings":        "one connection",
		"Proxy-Authenticate":    "one connection",
		"Proxy-Authorization":   "one connection",
		"Expect":                "answers it itself",
	} {
		err := httpheader.Check(name)
		if want == "" {
			assert.NoError(t, err, name)
			continue
		}
		assert.ErrorContains(t, err, want, name)
		assert.NotContains(t, err.Error(), "\n")
	}
}

// What net/http really passes on: a header whose name Check accepts arrives, and one whose field
// net/http keeps for itself does not.
func TestCheck_AgreesWithTheServer(t *testing.T) {
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Clone() }))
	defer server.Close()
	for _, name := range []string{"X-Client-Cert", "SSL_CLIENT_CERT", "x.y", "Host", "Trailer", "Transfer-Encoding"} {
		value := map[string]string{"Transfer-Encoding": "chunked", "Trailer": "X-A"}[name]
		if value == "" {
			value = "a"
		}
		extra := name + ": " + value + "\r\n"
		if name != "Host" {
			extra += "Host: h\r\n"
		}
		if name == "Trailer" {
			extra += "Transfer-Encoding: chunked\r\n"
		}
		conn := dial(t, server.Listener.Addr().String())
		_, err := conn.Write([]byte("POST / HTTP/1.1\r\n" + extra + "Connection: close\r\n\r\n0\r\n\r\n"))
		require.NoError(t, err)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.NoError(t, conn.Close())
		require.Equal(t, http.StatusOK, response.StatusCode, name)
		assert.Equal(t, httpheader.Check(name) == nil, got[http.CanonicalHeaderKey(name)] != nil, name)
	}
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	return conn
}

// RFC 9110, section 5.6.2: tchar, for every byte.
func TestIsToken_EveryByte(t *testing.T) {
	const tchar = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for c := range 256 {
		one := string([]byte{byte(c)})
		for _, text := range []string{one, "x" + one, one + "x"} {
			assert.Equal(t, strings.Contains(tchar, one), httpheader.IsToken(text), "%q", text)
		}
	}
	assert.False(t, httpheader.IsToken(""))
}

// RFC 9110, section 5.5: a field value has no control character but HTAB, and neither begins nor ends
// with white space.
func TestCheckValue_EveryByte(t *testing.T) {
	for c := range 256 {
		text := "x" + string([]byte{byte(c)}) + "x"
		control := c < 0x20 && c != '\t' || c == 0x7F
		assert.Equal(t, control, httpheader.CheckValue(text, 3) != nil, "%q", text)
	}
	for _, text := range []string{" x", "x ", "\tx", "x\t", "x\n", " ", "xxxx"} {
		assert.Error(t, httpheader.CheckValue(text, 3), "%q", text)
	}
	assert.NoError(t, httpheader.CheckValue("", 0))
}
