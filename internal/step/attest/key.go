package attest

import (
	"os"
	"regexp"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

var variableReference = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$`)

// signer loads the key, which stays in this process.
func (s Step) signer(r step.Request, w step.AttestParams) (port.Signer, error) {
	o := port.SignRequest{Fulcio: w.Fulcio, Rekor: w.Rekor, Timestamps: w.Timestamps}
	if w.Key == "" {
		return s.Signers.NewSigner(o)
	}
	value, err := s.lookup("sign.key", w.Key)
	if err != nil {
		return nil, err
	}
	if o.Key, err = step.LoadSigningKey(value, r.RepositoryDir); err != nil {
		return nil, err
	}
	if w.Passphrase != "" {
		pass, err := s.lookup("sign.passphrase", w.Passphrase)
		if err != nil {
			return nil, err
		}
		o.Passphrase = []byte(pass)
	}
	return s.Signers.NewSigner(o)
}

// lookup returns the value of a variable reference. The value is in no error.
func (s Step) lookup(at, ref string) (string, error) {
	m := variableReference.FindStringSubmatch(ref)
	if m == nil {
		return "", fault.New(fault.Invalid, "%s: want a variable reference such as ${NAME}", at)
	}
	env := s.LookupEnv
	if env == nil {
		env = os.LookupEnv
	}
	v, ok := env(m[1])
	if !ok || v == "" && at == "sign.key" {
		return "", fault.New(fault.Invalid, "%s needs the environment variable %s, which is not set", at, m[1]).
			Hint("export %s before starting slipway; `slipway keys generate` creates a key", m[1])
	}
	return v, nil
}
