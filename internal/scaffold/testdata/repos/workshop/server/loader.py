class Loader:
    def loaded(self):
        return True
