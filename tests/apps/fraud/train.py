# exported from Colab
!pip install pyod
%matplotlib inline
import pandas as pd
df = pd.read_csv('/content/drive/MyDrive/fraud.csv')
df.head()
