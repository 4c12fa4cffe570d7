package certauth

import (
	"crypto/x509"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/san"
)

// checkEmailConstraints applies the permitted e-mail constraints of every CA in the
// chain to the leaf as RFC 5280, section 4.2.1.10, words them: "host" is that host
// alone, ".domain" any host below it, "mailbox@host" that mailbox. crypto/x509 has
// already applied the excluded ones, and the permitted ones more widely.
func checkEmailConstraints(path string, chain []*x509.Certificate) *Error {
	var emails []string
	for i, ca := range chain[1:] {
		if len(ca.PermittedEmailAddresses) == 0 {
			continue
		}
		if emails == nil {
			var err error
			if emails, err = emailsOf(chain[0]); err != nil {
				return refusal(ReasonChainUntrusted, path, "%w", err)
			}
		}
		for _, email := range emails {
			if !emailPermitted(email, ca.PermittedEmailAddresses) {
				return refusal(ReasonChainUntrusted, path, "e-mail address %s is outside the name constraints of CA %d", quote(email), i+1).
					withHint("the partner's CA may not issue certificates for this address; ask the partner")
			}
		}
	}
	return nil
}

// emailsOf returns the mailboxes of the alternative names and, where there are none,
// those in the subject, to which RFC 5280 applies the constraints as well.
func emailsOf(leaf *x509.Certificate) ([]string, error) {
	alt, err := san.Of(leaf)
	if err != nil {
		return nil, err
	}
	if len(alt.Emails) > 0 {
		return alt.Emails, nil
	}
	subject, err := dn.Parse(leaf.RawSubject)
	if err != nil {
		return nil, err
	}
	return append([]string{}, subject.Values(dn.OIDEmailAddress)...), nil
}

func emailPermitted(email string, permitted []string) bool {
	local, domain, ok := splitMailbox(email)
	if !ok {
		return false
	}
	for _, constraint := range permitted {
		wantLocal, wantDomain, isMailbox := strings.Cut(constraint, "@")
		switch {
		case isMailbox:
			if local == wantLocal && equalFoldASCII(domain, wantDomain) {
				return true
			}
		case strings.HasPrefix(constraint, "."):
			if len(domain) > len(constraint) && equalFoldASCII(domain[len(domain)-len(constraint):], constraint) {
				return true
			}
		case constraint == "":
			return true
		case equalFoldASCII(domain, constraint):
			return true
		}
	}
	return false
}
