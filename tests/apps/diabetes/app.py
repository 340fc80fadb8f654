import streamlit as st
import joblib

st.title('Diabetes risk')
model = joblib.load('diabetes.joblib')
glucose = st.slider('Glucose', 50, 250, 100)
bmi = st.slider('BMI', 15.0, 60.0, 25.0)
if st.button('Predict'):
    st.write(model.predict([[glucose, bmi]])[0])
