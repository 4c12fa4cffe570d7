package forwarded

import (
	"cmp"
	"errors"

	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// HAProxy reads the leaf as base64 DER (ssl_c_der,base64) together with ssl_c_used and
// ssl_c_verify, and the chain if you forward it.
//
// Verified: possession of the key, including resumed sessions, and the chain to ca-file
// unless crt-ignore-err or ca-ignore-err is set. ssl_c_verify is 0, which means OK, even
// without a certificate; it counts only together with ssl_c_used and a certificate.
//
// Overwritten: headers that set-header sets. add-header leaves the client's line in front
// of its own, and a conditional set-header without del-header leaves the client's line if
// the condition is false. Names with an underscore or a dot pass.
//
// Required configuration, in the frontend:
//
//	http-request deny if METH_CONNECT
//	http-request del-header Upgrade if { req.hdr(Upgrade) -m sub -i h2c }
//	http-request del-header X-SSL-Client-Cert
//	http-request set-header X-SSL-Client-Used   %[ssl_c_used]
//	http-request set-header X-SSL-Client-Verify %[ssl_c_verify]
//	http-request set-header X-SSL-Client-Cert   %[ssl_c_der,base64] if { ssl_c_used }
//
// The first two lines keep clients from taking the connection to the service over (section
// "Upgrade" of the package documentation). For a chain, add del-header and set-header lines that set
// X-SSL-Chain-Der to %[ssl_c_chain_der,base64]. A resumed session has no chain, so
// configure the issuing CAs in certauth.Chain.Intermediates in any case.
//
// Refused: used other than 1, verify other than 0, and every other spelling of these
// values. ssl_fc_has_crt is no substitute for ssl_c_used, because it is 0 on resumption.
//
// To verify before going live: the probes of the package documentation. Above about 15 KB
// of headers HAProxy itself answers 400 or 500.
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
	// ChainHeader carries %[ssl_c_chain_der,base64]. By default no chain is read.
	ChainHeader string
	// ChainNumbered reads one certificate from each of ChainHeader_0, ChainHeader_1 and so
	// on, instead of all from ChainHeader.
	ChainNumbered bool
	// UsedHeader carries ssl_c_used. The default is X-SSL-Client-Used.
	UsedHeader string
	// VerifyHeader carries ssl_c_verify. The default is X-SSL-Client-Verify.
	VerifyHeader string
	// FrontEndVerifies treats used=1 and verify=0 as an anchor. Set it only if all bind lines and
	// crt-list entries of the process that verify clients have the same ca-file: HAProxy does not
	// compare the host of a request with that of the handshake, and resumes any session on any of
	// them, so that a client of another host's CA counts as verified.
	FrontEndVerifies bool
}

// Prepare implements [certauth.Source].
func (s HAProxy) Prepare(env source.Environment) (*source.Reader, error) {
	decode, found := oneOf(s.Format, FormatBase64DER, FormatByteSequence)
	chain := chainReader{name: s.ChainHeader}
	switch {
	case s.ChainHeader == "" && s.ChainNumbered:
		found = append(found, errors.New("ChainNumbered: set without ChainHeader"))
	case s.ChainNumbered:
		chain.format = ChainBase64Numbered
	case s.ChainHeader != "":
		chain.format = ChainBase64Concatenated
	}
	return layout{
		preset: "HAProxy", from: s.From, header: cmp.Or(s.Header, "X-SSL-Client-Cert"), codec: decode, chain: chain,
		flags: []Flag{
			{Header: cmp.Or(s.UsedHeader, "X-SSL-Client-Used"), Value: "1"},
			{Header: cmp.Or(s.VerifyHeader, "X-SSL-Client-Verify"), Value: "0"},
		},
		verifies: s.FrontEndVerifies,
		form:     "base64 of one DER certificate, or an RFC 9440 byte sequence if Format says so",
	}.prepare(env, found...)
}
