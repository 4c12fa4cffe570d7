package forwarded

import (
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// HAProxy reads the leaf as base64 DER (ssl_c_der,base64) with ssl_c_used and ssl_c_verify
// with it, and the chain if you forward it.
//
// What it proved: possession of the key, resumed sessions included, and the chain to
// ca-file unless crt-ignore-err or ca-ignore-err is set. ssl_c_verify is 0, which means
// OK, also without any certificate: it counts only with ssl_c_used and a certificate.
//
// What it overwrites: what set-header sets; add-header leaves the client's line in front
// of its own, and a conditional set-header without del-header leaves the client's when
// the condition fails. Names with an underscore or a dot pass.
//
// What must be configured, in the frontend:
//
//	http-request del-header Upgrade if { req.hdr(Upgrade) -m sub -i h2c }
//	http-request del-header X-SSL-Client-Cert
//	http-request set-header X-SSL-Client-Used   %[ssl_c_used]
//	http-request set-header X-SSL-Client-Verify %[ssl_c_verify]
//	http-request set-header X-SSL-Client-Cert   %[ssl_c_der,base64] if { ssl_c_used }
//
// where the first line keeps clients from changing to HTTP/2 behind HAProxy (section
// "Upgrade" of the package documentation); and, for a chain, del-header and set-header of X-SSL-Chain-Der to
// %[ssl_c_chain_der,base64]. The chain is gone when a session is resumed, so configure the
// issuing CAs in certauth.Chain.Intermediates in any case.
//
// What is refused: used other than 1, verify other than 0, and every other spelling of
// them; ssl_fc_has_crt is no substitute, it is 0 on resumption.
//
// How to verify before going live: the probes of the package documentation; HAProxy
// answers 400 or 500 itself above about 15 KB of headers.
//
// Source: HAProxy's configuration manual, section 7.3.4; measured with HAProxy 2.6.12.
type HAProxy struct {
	// From identifies HAProxy. Required.
	From Gate
	// Header carries the leaf. The default is X-SSL-Client-Cert.
	Header string
	// Format is FormatBase64DER by default; FormatByteSequence for a composed RFC 9440
	// field (":%[ssl_c_der,base64]:").
	Format Format
	// ChainHeader carries %[ssl_c_chain_der,base64], if set.
	ChainHeader string
	// ChainNumbered reads ChainHeader_0, ChainHeader_1 and so on, a certificate each,
	// instead.
	ChainNumbered bool
	// UsedHeader carries ssl_c_used. The default is X-SSL-Client-Used.
	UsedHeader string
	// VerifyHeader carries ssl_c_verify. The default is X-SSL-Client-Verify.
	VerifyHeader string
	// FrontEndVerifies takes used=1 and verify=0 for an anchor.
	FrontEndVerifies bool
}

// Prepare implements [certauth.Source].
func (s HAProxy) Prepare(env source.Environment) (*source.Reader, error) {
	decode, found := oneOf(s.Format, FormatBase64DER, FormatByteSequence)
	chain := chainReader{name: s.ChainHeader}
	switch {
	case s.ChainHeader == "" && s.ChainNumbered:
		found = append(found, errChainNumbered)
	case s.ChainNumbered:
		chain.format = ChainBase64Numbered
	case s.ChainHeader != "":
		chain.format = ChainBase64Concatenated
	}
	return served(layout{
		preset: "HAProxy", from: s.From, header: or(s.Header, "X-SSL-Client-Cert"), codec: decode, chain: chain,
		flags: []Flag{
			{Header: or(s.UsedHeader, "X-SSL-Client-Used"), Value: "1"},
			{Header: or(s.VerifyHeader, "X-SSL-Client-Verify"), Value: "0"},
		},
		verifies: s.FrontEndVerifies,
		form:     "base64 of one DER certificate, or an RFC 9440 byte sequence if Format says so",
	}.prepare(env, found...))
}
