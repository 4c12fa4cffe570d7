package policyfile

// Active returns the document in use.
func Active(a *Authenticator) *Document { return a.current.Load().doc }

// LooksSecret is looksSecret.
func LooksSecret(s string) bool { return looksSecret(s) }
