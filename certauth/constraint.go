package certauth

import (
	"crypto/x509"
	"errors"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/san"
)

// checkEmailConstraints applies the e-mail constraints of every CA in the chain to the
// leaf as RFC 5280, section 4.2.1.10, words them: "host" is that host alone, ".domain"
// any host below it, "mailbox@host" that mailbox. crypto/x509 has looked at the
// alternative names already, but takes permitted hosts more widely and does not look at
// addresses in the subject.
func checkEmailConstraints(path string, chain []*x509.Certificate) *Error {
	var emails []string
	for i, ca := range chain[1:] {
		if len(ca.PermittedEmailAddresses)+len(ca.ExcludedEmailAddresses) == 0 {
			continue
		}
		if emails == nil {
			var err error
			if emails, err = emailsOf(chain[0]); err != nil {
				return refusal(ReasonChainUntrusted, path, "%w", err)
			}
		}
		for _, email := range emails {
			if !emailAllowed(email, ca) {
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
	if err := alt.Fault(san.RFC822Name); err != nil {
		return nil, err
	}
	if len(alt.Emails) > 0 {
		return alt.Emails, nil
	}
	subject, err := dn.Parse(leaf.RawSubject)
	if err != nil {
		return nil, err
	}
	values := append([]string{}, subject.Values(dn.OIDEmailAddress)...)
	if len(values) != subject.Count(dn.OIDEmailAddress) {
		return nil, errors.New("an e-mail address in the subject is not readable as text")
	}
	return values, nil
}

// emailAllowed refuses an address that is not one plain mailbox: nobody can say on which
// side of a constraint it stands.
func emailAllowed(email string, ca *x509.Certificate) bool {
	local, host, ok := san.SplitMailbox(email)
	within := func(constraint string) bool { return emailWithin(local, host, constraint) }
	return ok && !slices.ContainsFunc(ca.ExcludedEmailAddresses, within) &&
		(len(ca.PermittedEmailAddresses) == 0 || slices.ContainsFunc(ca.PermittedEmailAddresses, within))
}

func emailWithin(local, host, constraint string) bool {
	mailbox, mailboxHost, isMailbox := strings.Cut(constraint, "@")
	switch {
	case isMailbox:
		return local == mailbox && san.EqualFoldASCII(host, mailboxHost)
	case strings.HasPrefix(constraint, "."):
		return len(host) > len(constraint) && san.EqualFoldASCII(host[len(host)-len(constraint):], constraint)
	}
	return constraint == "" || san.EqualFoldASCII(host, constraint)
}
